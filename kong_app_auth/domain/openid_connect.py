"""A strategy's settings for tokens, by the names of Kong's openid-connect plugin, as portal and apps.yaml hold them."""

import re
from collections.abc import Mapping
from typing import Final, cast

import msgspec

from kong_app_auth.domain.records import (
    DEFAULT_ALGORITHMS,
    DEFAULT_CACHE_TTL,
    DEFAULT_CREDENTIAL_CLAIMS,
    DEFAULT_LEEWAY,
    OpenIdConnect,
)

DISCOVERY: Final = "/.well-known/openid-configuration"
MAX_ISSUER: Final = 256
MAX_ENTRIES: Final = 50
MAX_TEXT: Final = 256
MAX_SECONDS: Final = 300
"""The longest leeway, and the longest time that the answer of an introspection is good for."""

LISTS: Final = (
    *("credential_claim", "auth_methods", "scopes", "scopes_required"),
    *("audience_required", "audience", "algorithms"),
)
SECONDS: Final = {"leeway": DEFAULT_LEEWAY, "cache_ttl": DEFAULT_CACHE_TTL}

_URL = re.compile(r"https?://[!-~]{1,250}", re.ASCII | re.IGNORECASE)
_CLIENT_ID = re.compile(r"[ -~]{1,255}", re.ASCII)


class Wrong(msgspec.Struct, frozen=True):
    """What is wrong with a setting."""

    field: str
    reason: str


def read(config: Mapping[str, object]) -> OpenIdConnect | Wrong:
    """Read the settings. Those that are not named here mean nothing to a gateway and are passed over."""
    issuer = config.get("issuer")
    if not isinstance(issuer, str) or not _URL.fullmatch(issuer) or len(issuer) > MAX_ISSUER:
        return Wrong("issuer", f"must be a URL of at most {MAX_ISSUER} characters")
    lists: dict[str, tuple[str, ...]] = {}
    for name in LISTS:
        found = _texts(config.get(name))
        if found is None:
            return Wrong(name, f"must be a list of at most {MAX_ENTRIES} texts of at most {MAX_TEXT} characters")
        lists[name] = found
    seconds: dict[str, int] = {}
    for name, default in SECONDS.items():
        value = config.get(name, default)
        if type(value) is not int or not 0 <= value <= MAX_SECONDS:
            return Wrong(name, f"must be 0 to {MAX_SECONDS} seconds")
        seconds[name] = value
    if not set(lists["algorithms"]) <= set(DEFAULT_ALGORITHMS):
        return Wrong("algorithms", f"must be of {', '.join(DEFAULT_ALGORITHMS)}")
    return OpenIdConnect(
        issuer=issuer.removesuffix(DISCOVERY),
        credential_claims=lists["credential_claim"] or DEFAULT_CREDENTIAL_CLAIMS,
        auth_methods=lists["auth_methods"],
        scopes=lists["scopes"],
        scopes_required=lists["scopes_required"],
        audience_required=lists["audience_required"],
        audience=lists["audience"],
        algorithms=lists["algorithms"] or DEFAULT_ALGORITHMS,
        leeway=seconds["leeway"],
        cache_ttl=seconds["cache_ttl"],
    )


def is_client_id(text: str) -> bool:
    """Say whether an OAuth client can have this id: visible ASCII and blanks (RFC 6749, A.1), at most 255."""
    return _CLIENT_ID.fullmatch(text) is not None


def _texts(value: object) -> tuple[str, ...] | None:
    """Read a list of texts; what is left out is an empty one, and empty texts say nothing. None: it is no such list."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        return None
    entries = cast("list[object] | tuple[object, ...]", value)
    texts = [entry for entry in entries if isinstance(entry, str) and len(entry) <= MAX_TEXT]
    return tuple(filter(None, texts)) if len(texts) == len(entries) <= MAX_ENTRIES else None
