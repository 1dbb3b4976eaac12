"""What an issuer publishes about itself: its discovery document and its public keys, read within bounds.

OpenID Connect Discovery 1.0 (sections 3 and 4), RFC 8414 (sections 2 and 3), RFC 7517 (section 5). Whoever controls
these documents decides whose tokens are good. So a document that names another issuer is refused, keys are kept only
where they are public, asymmetric and fit to check signatures, and of each key only what that takes is kept.
"""

import json
import re
from enum import StrEnum
from typing import Any, Final, cast
from urllib.parse import urlsplit

import msgspec

from kong_app_auth.oidc.jose import json_object
from kong_app_auth.oidc.jose.jwk import import_key
from kong_app_auth.oidc.outgoing import Answer, ForbiddenAddress, Outgoing, Unreachable

MAX_ISSUER: Final = 320
"""Characters of an issuer's identifier: what the registry takes as an id."""
MAX_DISCOVERY: Final = 256 * 1024
MAX_KEY_SET: Final = 512 * 1024
"""Bytes of the two documents."""
MOST_KEYS: Final = 100
MAX_KID: Final = 255
MAX_KEPT: Final = 192 * 1024
"""Bytes of all keys that are kept: a record of the registry holds them, and has a limit itself."""
TIMEOUT: Final = 5.0
"""Seconds for one document."""

_OPENID: Final = "/.well-known/openid-configuration"
_OAUTH: Final = "/.well-known/oauth-authorization-server"
_MAX_AGE: Final = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?([0-9]{1,10})", re.ASCII | re.IGNORECASE)
_PUBLIC: Final[dict[object, tuple[str, ...]]] = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class Cause(StrEnum):
    """Why there are no keys; the value is for metrics."""

    FORBIDDEN_ADDRESS = "forbidden_address"
    UNREACHABLE = "unreachable"
    BAD_STATUS = "bad_status"
    NO_DOCUMENT = "no_document"
    OTHER_ISSUER = "other_issuer"
    NO_USABLE_KEY = "no_usable_key"
    TOO_MUCH = "too_much"


class IssuerFailed(Exception):  # noqa: N818  says what it is
    """An issuer did not say what it has to. `detail` quotes nothing that it sent."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause
        self.detail = detail


class Discovery(msgspec.Struct, frozen=True):
    """What we need of a discovery document. `issuer` is what `iss` of its tokens must equal.

    `auth_methods`: how clients may authenticate at the token endpoint. `names_itself`: its authorization responses have
    `iss` (RFC 9207).
    """

    issuer: str
    jwks_uri: str
    token_endpoint: str | None = None
    introspection_endpoint: str | None = None
    authorization_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    auth_methods: tuple[str, ...] = ("client_secret_basic",)
    names_itself: bool = False


class KeySet(msgspec.Struct, frozen=True):
    """Public JWKs in canonical form and order, each as JSON text. `max_age`: seconds that the issuer lets one keep it.

    `leaked`: how many keys were left out because their private half was published along with them.
    """

    keys: tuple[str, ...]
    max_age: int | None = None
    leaked: int = 0


def discover(outgoing: Outgoing, issuer: str) -> Discovery:
    """Fetch the discovery document of the issuer that is named so by an operator. Raises IssuerFailed."""
    openid, oauth = discovery_urls(issuer)
    answer = _get(outgoing, openid, MAX_DISCOVERY)
    if answer.status in (400, 404, 405, 410):
        answer = _get(outgoing, oauth, MAX_DISCOVERY)
    return parse_discovery(_body(answer), issuer)


def fetch_keys(outgoing: Outgoing, jwks_uri: str) -> KeySet:
    """Fetch an issuer's keys. Raises IssuerFailed, also where none of them can be used."""
    answer = _get(outgoing, jwks_uri, MAX_KEY_SET)
    found = parse_keys(_body(answer))
    return msgspec.structs.replace(found, max_age=_max_age(answer.headers.get("cache-control", "")))


def discovery_urls(issuer: str) -> tuple[str, str]:
    """Give the addresses of an issuer's document by OpenID Connect and by RFC 8414. Raises IssuerFailed."""
    if len(issuer) > MAX_ISSUER:
        raise IssuerFailed(Cause.FORBIDDEN_ADDRESS, f"its name is longer than {MAX_ISSUER} characters")
    try:
        parts = urlsplit(issuer)
    except ValueError:
        raise IssuerFailed(Cause.FORBIDDEN_ADDRESS, "its name is no URL") from None
    if parts.scheme not in ("https", "http") or not parts.netloc or "?" in issuer or "#" in issuer:
        raise IssuerFailed(Cause.FORBIDDEN_ADDRESS, "its name is no URL without query and fragment")
    path = parts.path.rstrip("/")
    origin = f"{parts.scheme}://{parts.netloc}"
    return f"{origin}{path}{_OPENID}", f"{origin}{_OAUTH}{path}"


def parse_discovery(body: bytes, issuer: str) -> Discovery:
    """Read a discovery document. Raises IssuerFailed.

    It must name the issuer that was asked (a slash at the end may differ: operators leave it out). Endpoints that are
    no URLs are passed over; whether one may be asked is decided when it is.
    """
    members = _object(body)
    named = members.get("issuer")
    if not isinstance(named, str) or named.removesuffix("/") != issuer.removesuffix("/"):
        raise IssuerFailed(Cause.OTHER_ISSUER, "its discovery document is of another issuer")
    jwks_uri = _url(members.get("jwks_uri"))
    if jwks_uri is None:
        raise IssuerFailed(Cause.NO_DOCUMENT, "its discovery document names no keys")
    return Discovery(
        issuer=named,
        jwks_uri=jwks_uri,
        token_endpoint=_url(members.get("token_endpoint")),
        introspection_endpoint=_url(members.get("introspection_endpoint")),
        authorization_endpoint=_url(members.get("authorization_endpoint")),
        userinfo_endpoint=_url(members.get("userinfo_endpoint")),
        auth_methods=_auth_methods(members.get("token_endpoint_auth_methods_supported")),
        names_itself=members.get("authorization_response_iss_parameter_supported") is True,
    )


def parse_keys(body: bytes) -> KeySet:
    """Read a JWK Set. Raises IssuerFailed where no key of it can be used, or where it is too large to be meant well.

    Keys of unknown or unfit kinds are passed over, as RFC 7517 (section 5) asks. A key whose private half is published
    too is not kept: anybody can sign with it.
    """
    found = _object(body).get("keys")
    if not isinstance(found, list):
        raise IssuerFailed(Cause.NO_DOCUMENT, "its key set is none")
    members = [cast("dict[str, Any]", one) for one in cast("list[object]", found) if isinstance(one, dict)]
    if len(members) > MOST_KEYS:
        raise IssuerFailed(Cause.TOO_MUCH, f"its key set has more than {MOST_KEYS} keys")
    leaked = [one for one in members if not _PRIVATE.isdisjoint(one) and one.get("kty") in _PUBLIC]
    usable = {_canonical(one) for one in members if _PRIVATE.isdisjoint(one)} - {None}
    keys = tuple(sorted(cast("set[str]", usable)))
    if not keys:
        raise IssuerFailed(Cause.NO_USABLE_KEY, "its key set has no key that can check signatures")
    if sum(map(len, keys)) > MAX_KEPT:
        raise IssuerFailed(Cause.TOO_MUCH, f"its keys have more than {MAX_KEPT} bytes")
    return KeySet(keys, leaked=len(leaked))


def _canonical(members: dict[str, Any]) -> str | None:
    """Write what of a JWK counts, always in the same way; None where it cannot check signatures."""
    kid = members.get("kid")
    if isinstance(kid, str) and len(kid) > MAX_KID:
        return None
    # Its use and operations are heeded here, before they are left out.
    if import_key(json.dumps(members)) is None:
        return None
    kept = ("kty", *_PUBLIC[members["kty"]], "kid", "alg")
    return json.dumps({name: members[name] for name in kept if name in members}, sort_keys=True, separators=(",", ":"))


def _get(outgoing: Outgoing, url: str, max_bytes: int) -> Answer:
    try:
        return outgoing.request("GET", url, timeout=TIMEOUT, max_bytes=max_bytes)
    except ForbiddenAddress as forbidden:
        raise IssuerFailed(Cause.FORBIDDEN_ADDRESS, forbidden.detail) from None
    except Unreachable as failure:
        raise IssuerFailed(Cause.UNREACHABLE, failure.detail) from None


def _body(answer: Answer) -> bytes:
    if answer.status != 200:
        raise IssuerFailed(Cause.BAD_STATUS, f"it answered {answer.status}")
    return answer.body


def _object(body: bytes) -> dict[str, Any]:
    try:
        return json_object.decode(body)
    except ValueError as wrong:
        raise IssuerFailed(Cause.NO_DOCUMENT, f"its answer is {wrong}") from None


def _url(value: object) -> str | None:
    good = isinstance(value, str) and len(value) <= 2048 and value.startswith(("https://", "http://"))
    return cast("str", value) if good else None


def _auth_methods(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ("client_secret_basic",)  # OpenID Connect Discovery 1.0, section 3
    return tuple(one for one in cast("list[object]", value) if isinstance(one, str))


def _max_age(cache_control: str) -> int | None:
    found = _MAX_AGE.search(cache_control)
    return int(found[1]) if found else None
