"""Addresses of other servers that operators give: issuers, DCR servers, webhooks."""

import ipaddress
import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

MAX_URL: Final = 256
MAX_ENDPOINT: Final = 2048
_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)


def is_loopback(host: str) -> bool:
    """Say whether a host's name or address means this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def web_url(text: str) -> str:
    """Give `text` if it is an address that a server may be called at: https, or http on this machine itself.

    Without TLS, whoever is on the way could hand us keys to trust, or read what is sent. No user name or password: they
    would be shown wherever the URL is. Raises PydanticCustomError.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise PydanticCustomError("invalid_url", "is not a URL") from None
    if not _PRINTABLE.fullmatch(text) or "\\" in text or parts.scheme not in ("http", "https") or not host or port == 0:
        raise PydanticCustomError("invalid_url", "must be a URL with https")
    if parts.scheme == "http" and not is_loopback(host):
        raise PydanticCustomError("invalid_url", "must be a URL with https; http is for this machine itself only")
    if "@" in parts.netloc:
        raise PydanticCustomError("invalid_url", "must not hold a user name or password")
    if "#" in text:
        raise PydanticCustomError("invalid_url", "must not have a fragment")
    return text


WebUrl = Annotated[str, StringConstraints(max_length=MAX_URL), AfterValidator(web_url)]
"""The URL of a server, as in the contract's `format: url`."""
Endpoint = Annotated[str, StringConstraints(max_length=MAX_ENDPOINT), AfterValidator(web_url)]
"""The URL that something is posted to."""
