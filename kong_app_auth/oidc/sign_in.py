"""Signing people in at a provider: the authorization code flow, seen from the client. No network here.

OpenID Connect Core 1.0 (section 3.1), with PKCE (RFC 7636, S256 only), `state` and `nonce`, and `iss` of RFC 9207.
"""

import hmac
import secrets
from enum import StrEnum
from hashlib import sha256, sha384, sha512
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec

from kong_app_auth.domain.records import DEFAULT_ALGORITHMS, Issuer
from kong_app_auth.oidc import tokens
from kong_app_auth.oidc.claims import Claims, types_fault
from kong_app_auth.oidc.endpoints import Unavailable, basic
from kong_app_auth.oidc.issuers import Discovery
from kong_app_auth.oidc.jose import base64url, json_object
from kong_app_auth.oidc.jose.outcomes import Failure, UnknownKey
from kong_app_auth.oidc.jose.outcomes import Fault as TokenFault
from kong_app_auth.oidc.outgoing import Answer

MAX_ID_TOKEN: Final = 32 * 1024
"""Characters. Some providers put two hundred groups into one."""
MAX_ACCESS_TOKEN: Final = 16 * 1024
MAX_SUBJECT: Final = 255
LEEWAY: Final = 60
"""Seconds that the clocks of portal and provider may differ."""
_REQUIRED: Final = ("iss", "sub", "aud", "exp", "iat")
_HASHES: Final = {"256": sha256, "384": sha384, "512": sha512, "DSA": sha512}
"""By the end of an algorithm's name. Ed25519 hashes with SHA-512."""
_REFUSALS: Final = frozenset({400, 401, 403})
_CODES: Final = frozenset(
    {"invalid_grant", "invalid_client", "unauthorized_client", "invalid_request", "unsupported_grant_type"}
)


class Fault(StrEnum):
    """What can be wrong with an ID token beside what `jose.outcomes.Fault` has; codes for logs."""

    OTHER_AUDIENCE = "other_audience"
    OTHER_PARTY = "other_authorized_party"
    OTHER_NONCE = "other_nonce"
    OTHER_ACCESS_TOKEN = "other_access_token"  # noqa: S105 - a code for logs
    MALFORMED_SUBJECT = "malformed_subject"
    OTHER_SUBJECT = "other_subject"


class Rejected(msgspec.Struct, frozen=True):
    """The provider refuses the code, or what it gave is not to be believed. `detail`: one of a few codes, for logs."""

    detail: str


class Client(msgspec.Struct, frozen=True):
    """What we are at a provider; a public client has no `secret`. `issuer`: as an operator names the provider."""

    issuer: str
    client_id: str
    secret: str | None = None

    def __repr__(self) -> str:
        """Leave the secret out."""
        return f"Client({self.client_id} at {self.issuer})"


class Request(msgspec.Struct, frozen=True):
    """The random texts of one sign-in, 256 bits each. `state` and `nonce` come back; `verifier` goes with the code."""

    state: str
    nonce: str
    verifier: str

    def __repr__(self) -> str:
        """Leave them out."""
        return "Request(…)"


class Granted(msgspec.Struct, frozen=True):
    """What a code was exchanged for."""

    id_token: str
    access_token: str

    def __repr__(self) -> str:
        """Leave the tokens out."""
        return "Granted(…)"


def new_request() -> Request:
    """Make the texts of a sign-in."""
    return Request(*(secrets.token_urlsafe(32) for _ in range(3)))


def authorization_url(
    discovery: Discovery, client_id: str, redirect_uri: str, scopes: tuple[str, ...], request: Request
) -> str | None:
    """Give the address that a browser is sent to; None where the provider has none that may be used.

    `openid` is asked for always: without it there is no ID token.
    """
    endpoint = discovery.authorization_endpoint
    if endpoint is None or "#" in endpoint or not _is_as_safe(endpoint, discovery.issuer):
        return None
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(dict.fromkeys(("openid", *scopes))),
        "state": request.state,
        "nonce": request.nonce,
        "code_challenge": base64url.encode(sha256(request.verifier.encode("ascii")).digest()).decode("ascii"),
        "code_challenge_method": "S256",
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"


def is_from(discovery: Discovery, told: str | None) -> bool:
    """Say whether a response with this `iss` is the provider's (RFC 9207, 2.4). None: the response has none."""
    return told == discovery.issuer if told is not None else not discovery.names_itself


def authentication(client: Client, auth_methods: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]] | None:
    """Give headers and form fields by which a client authenticates; None where the provider takes none of ours."""
    if client.secret is None:
        return {}, {"client_id": client.client_id}
    if "client_secret_basic" in auth_methods:
        return {"Authorization": basic(client.client_id, client.secret)}, {}
    if "client_secret_post" in auth_methods:
        return {}, {"client_id": client.client_id, "client_secret": client.secret}
    return None


def read_granted(answer: Answer) -> Granted | Rejected | Unavailable:
    """Read an answer of the token endpoint (OpenID Connect Core 1.0, 3.1.3.3 and 3.1.3.4)."""
    members = _members(answer)
    if answer.status in _REFUSALS:
        code = members.get("error")
        return Rejected(code if isinstance(code, str) and code in _CODES else "refused")
    if answer.status != 200:
        return Unavailable(f"the provider answered {answer.status}")
    kind = members.get("token_type")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        return Rejected("no_bearer_token")
    id_token, access_token = members.get("id_token"), members.get("access_token")
    if not isinstance(id_token, str) or not isinstance(access_token, str):
        return Rejected("no_id_token")
    # It goes into a header of the next request.
    if len(access_token) > MAX_ACCESS_TOKEN or not access_token.isascii() or not access_token.isprintable():
        return Rejected("malformed_access_token")
    return Granted(id_token, access_token)


def check_id_token(
    granted: Granted, issuer: Issuer, client_id: str, nonce: str, now: float
) -> Claims | Failure | UnknownKey:
    """Check an ID token as OpenID Connect Core 1.0, 3.1.3.7 says, and 3.1.3.8 for `at_hash`. `now`: Unix time.

    It need not be checked that the code was meant for us (`c_hash`): we asked for the token ourselves.
    """
    parsed = tokens.parse(granted.id_token, MAX_ID_TOKEN)
    if isinstance(parsed, Failure):
        return parsed
    # An access token says for whom it is in the same claim, and is not about who signed in just now (RFC 9068, 5).
    if parsed.header.type == tokens.ACCESS_TOKEN:
        return Failure(TokenFault.TYPE_NOT_ACCEPTED)
    claims = tokens.verify(parsed, issuer, DEFAULT_ALGORITHMS, LEEWAY, now)
    if not isinstance(claims, Claims):
        return claims
    fault = types_fault(claims, _REQUIRED)
    if fault is not None:
        return fault
    problem = _problem(claims, parsed.header.algorithm, granted.access_token, client_id, nonce)
    return claims if problem is None else Failure(problem)


def read_userinfo(answer: Answer, subject: str) -> Claims | Rejected | Unavailable:
    """Read an answer of the userinfo endpoint, which must be about `subject` (OpenID Connect Core 1.0, 5.3.2).

    One that is refused says nothing more: at some providers the access token is for an API alone.
    """
    if answer.status in _REFUSALS:
        return Claims(sub=subject)
    if answer.status != 200:
        return Unavailable(f"the provider answered {answer.status} for userinfo")
    members = _members(answer)
    if members.get("sub") != subject:
        return Rejected(Fault.OTHER_SUBJECT)
    return Claims(members)


def together(claims: Claims, userinfo: Claims) -> Claims:
    """Add what only userinfo says. An address counts as verified only by the one who names that very address."""
    added = Claims({**userinfo, **claims})
    tellers = [one for one in (claims, userinfo) if "email_verified" in one and one.get("email") == added.get("email")]
    added.pop("email_verified", None)
    return Claims({**added, "email_verified": tellers[0]["email_verified"]}) if tellers else added


def _problem(claims: Claims, algorithm: str, access_token: str, client_id: str, nonce: str) -> Fault | None:
    subject, told = claims["sub"], claims.get("nonce")
    if len(subject) > MAX_SUBJECT or not subject.isascii() or not subject.isprintable():
        return Fault.MALFORMED_SUBJECT
    audiences = claims.audiences()
    if client_id not in audiences:
        return Fault.OTHER_AUDIENCE
    if claims.get("azp", client_id if len(audiences) == 1 else None) != client_id:
        return Fault.OTHER_PARTY
    if not isinstance(told, str) or not hmac.compare_digest(told.encode(), nonce.encode()):
        return Fault.OTHER_NONCE
    if "at_hash" in claims and claims["at_hash"] != _half_hash(algorithm, access_token):
        return Fault.OTHER_ACCESS_TOKEN
    return None


def _half_hash(algorithm: str, text: str) -> str:
    digest = _HASHES[algorithm[-3:]](text.encode()).digest()
    return base64url.encode(digest[: len(digest) // 2]).decode("ascii")


def _is_as_safe(url: str, issuer: str) -> bool:
    return urlsplit(url).scheme == "https" or urlsplit(issuer).scheme == "http"


def _members(answer: Answer) -> dict[str, Any]:
    try:
        return json_object.decode(answer.body)
    except ValueError:
        return {}
