"""Addresses of other servers that operators give: which can be set, in the portal as in apps.yaml."""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

_PRINTABLE: Final = re.compile(r"[!-~]+", re.ASCII)


def problem_with(text: str) -> str | None:
    """Say what is wrong with the address of a server that is to be called: https, or http on this machine itself.

    Without TLS, whoever is on the way could hand us keys to trust, or read what is sent. No user name or password: they
    would be shown wherever the URL is.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "is not a URL"
    if not _PRINTABLE.fullmatch(text) or "\\" in text or parts.scheme not in ("http", "https") or not host or port == 0:
        return "must be a URL with https"
    if parts.scheme == "http" and not _is_this_machine(host):
        return "must be a URL with https; http is for this machine itself only"
    if "@" in parts.netloc:
        return "must not hold a user name or password"
    if "#" in text:
        return "must not have a fragment"
    return None


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
