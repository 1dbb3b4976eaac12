"""A strategy's settings for tokens, by the names of Kong's openid-connect plugin, as portal and apps.yaml hold them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, cast

import msgspec

from kong_app_auth.domain.records import (
    BEARER,
    CLIENT_CREDENTIALS,
    DEFAULT_ALGORITHMS,
    DEFAULT_CACHE_TTL,
    DEFAULT_CREDENTIAL_CLAIMS,
    DEFAULT_LEEWAY,
    INTROSPECTION,
    OpenIdConnect,
)
from kong_app_auth.domain.web_address import problem_with

DISCOVERY: Final = "/.well-known/openid-configuration"
METHODS: Final = (BEARER, CLIENT_CREDENTIALS, INTROSPECTION)
MAX_ISSUER: Final = 256
MAX_SECONDS: Final = 300
"""The longest leeway, and the longest time that the answer of an introspection is good for."""


class Limit(msgspec.Struct, frozen=True):
    """How long a list may be: entries, and characters of each."""

    entries: int
    characters: int


CLAIMS: Final = Limit(10, 128)
AUTH_METHODS: Final = Limit(10, 64)
SCOPES: Final = Limit(50, 128)
_FURTHER: Final = Limit(50, 256)
LISTS: Final = {
    "credential_claim": CLAIMS,
    "auth_methods": AUTH_METHODS,
    "scopes": SCOPES,
    "scopes_required": _FURTHER,
    "audience_required": _FURTHER,
    "audience": _FURTHER,
    "algorithms": _FURTHER,
}
SECONDS: Final = {"leeway": DEFAULT_LEEWAY, "cache_ttl": DEFAULT_CACHE_TTL}

_CLIENT_ID = re.compile(r"[ -~]{1,255}", re.ASCII)


class Wrong(msgspec.Struct, frozen=True):
    """What is wrong with a setting; `entry`: with which of a list, from 0."""

    field: str
    reason: str
    entry: int | None = None


def read(config: Mapping[str, object]) -> OpenIdConnect | Wrong:
    """Read the settings. Those that are not named here mean nothing to a gateway and are passed over."""
    for wrong in what_is_wrong(config):
        return wrong
    lists = {name: tuple(filter(None, cast("Iterable[str]", config.get(name) or ()))) for name in LISTS}
    seconds = {name: cast("int", config.get(name, default)) for name, default in SECONDS.items()}
    return OpenIdConnect(
        issuer=cast("str", config["issuer"]).removesuffix(DISCOVERY),
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


def what_is_wrong(config: Mapping[str, object]) -> Iterator[Wrong]:
    """Name everything that is wrong with the settings, once for each of them."""
    problem = _problem_with_issuer(config.get("issuer"))
    if problem is not None:
        yield Wrong("issuer", problem)
    for name, limit in LISTS.items():
        wrong = _wrong_list(name, config.get(name), limit)
        if wrong is not None:
            yield wrong
    for name, default in SECONDS.items():
        value = config.get(name, default)
        if type(value) is not int or not 0 <= value <= MAX_SECONDS:
            yield Wrong(name, f"must be 0 to {MAX_SECONDS} seconds")


def _problem_with_issuer(issuer: object) -> str | None:
    if not isinstance(issuer, str) or len(issuer) > MAX_ISSUER:
        return f"must be a URL of at most {MAX_ISSUER} characters"
    if "?" in issuer:
        # OpenID Connect Discovery 1.0, 3: an issuer has neither query nor fragment.
        return "must not have a query"
    return problem_with(issuer)


def _wrong_list(name: str, value: object, limit: Limit) -> Wrong | None:
    """Check a list of texts; what is left out is an empty one, and empty texts say nothing."""
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        return Wrong(name, "must be a list of texts")
    entries = cast("list[object] | tuple[object, ...]", value)
    if len(entries) > limit.entries:
        return Wrong(name, f"must have at most {limit.entries} entries")
    for number, entry in enumerate(entries):
        if not isinstance(entry, str) or len(entry) > limit.characters:
            return Wrong(name, f"must be texts of at most {limit.characters} characters", number)
        if name == "algorithms" and entry and entry not in DEFAULT_ALGORITHMS:
            return Wrong(name, f"must be of {', '.join(DEFAULT_ALGORITHMS)}", number)
    return None


def is_client_id(text: str) -> bool:
    """Say whether an OAuth client can have this id: visible ASCII and blanks (RFC 6749, A.1), at most 255."""
    return _CLIENT_ID.fullmatch(text) is not None
