"""Asking an issuer whether a token is good: OAuth 2.0 Token Introspection (RFC 7662), with a short memory."""

from collections.abc import Callable
from hashlib import sha256
from typing import Final

import msgspec

from kong_app_auth.domain.records import Issuer, OpenIdConnect
from kong_app_auth.oidc.claims import Claims, times_fault
from kong_app_auth.oidc.endpoints import Endpoints, Unavailable
from kong_app_auth.oidc.gateway_credentials import GatewayCredentials
from kong_app_auth.oidc.jose import json_object
from kong_app_auth.oidc.jose.outcomes import Failure, Fault
from kong_app_auth.oidc.outgoing import Answer, Outgoing
from kong_app_auth.oidc.proofs import Proofs

INACTIVE: Final = "not_active"
OTHER_TYPE: Final = "other_token_type"
NOT_GOOD_FOR: Final = 5.0
"""Seconds at most that a token is known not to be good: it cannot become good, but others may be tried instead."""
_END_OF_TIME: Final = 253_402_300_799

Outcome = Claims | Failure | Unavailable


class Introspection:
    """Introspections, one at a time for each token. For any number of threads."""

    def __init__(
        self, outgoing: Callable[[], Outgoing], credentials: GatewayCredentials, on_asked: Callable[[str], None]
    ) -> None:
        self._endpoints = Endpoints(outgoing, on_asked)
        self._credentials = credentials
        self._proofs: Proofs[Outcome] = Proofs()

    def claims(self, issuer: Issuer, strategy: OpenIdConnect, token: str, until: float, now: float) -> Outcome:
        """Give what the issuer says of a token, by `until` (monotonic time); `now` is Unix time.

        Times are checked here, at each hit too; audience and scopes are the caller's.
        """
        endpoint, credential = issuer.introspection_endpoint, self._credentials.of(issuer.id)
        if endpoint is None:
            return Unavailable("the issuer has no introspection endpoint")
        if credential is None:
            return Unavailable("this node has no credentials for the issuer")
        key = sha256(msgspec.msgpack.encode((issuer.id, issuer.issuer, endpoint, strategy.cache_ttl, token))).digest()
        form = [("token", token), ("token_type_hint", "access_token")]

        def ask() -> tuple[Outcome, float]:
            client = credential.client_id, credential.client_secret
            found: Outcome = self._endpoints.ask(endpoint, form, client, until, lambda answer: _read(answer, issuer))
            if isinstance(found, Claims):
                return found, min(strategy.cache_ttl, _expiry(found) - now)
            return found, min(strategy.cache_ttl, NOT_GOOD_FOR) if isinstance(found, Failure) else 0.0

        found = self._proofs.obtain(key, key, until, ask)
        if found is None:
            return Unavailable("others wait for this token's introspection")
        return (_fault(found, strategy.leeway, now) or found) if isinstance(found, Claims) else found


def _read(answer: Answer, issuer: Issuer) -> Claims | Failure | None:
    """Read an answer (RFC 7662, 2.2 and 2.3); None for one that says nothing of the token.

    Some providers answer 400 for a token that they do not introspect.
    """
    if answer.status == 400:
        return Failure(INACTIVE)
    if answer.status != 200:
        return None
    try:
        claims = Claims(json_object.decode(answer.body))
    except ValueError:
        return None
    active = claims.get("active")
    if active is True:
        return _judged(claims, issuer) or claims
    return Failure(INACTIVE) if active is False else None


def _judged(claims: Claims, issuer: Issuer) -> Failure | None:
    """Check whose token it is, and of which kind: refresh tokens, and tokens bound to a key, are no bearer tokens."""
    if claims.get("iss", issuer.issuer) != issuer.issuer:
        return Failure(Fault.OTHER_ISSUER)
    kind = claims.get("token_type", "Bearer")
    if not isinstance(kind, str) or kind.lower() not in ("bearer", "access_token"):
        return Failure(OTHER_TYPE)
    if "aud" in claims and not claims.audiences():
        return Failure(Fault.MALFORMED_CLAIM)
    return None


def _fault(claims: Claims, leeway: int, now: float) -> Failure | None:
    """Check the times; `exp` need not be there (RFC 7662, 2.2)."""
    return times_fault(claims if "exp" in claims else Claims({**claims, "exp": _END_OF_TIME}), leeway, now)


def _expiry(claims: Claims) -> float:
    told = claims.get("exp", _END_OF_TIME)
    return told if type(told) in (int, float) else 0.0
