"""A client's id and secret for an access token: the grant `client_credentials` (RFC 6749, 4.4), on a client's behalf.

The client sends its id and secret to the gateway, which is to know whether they are good. The answer is kept for the
token's life less a margin; not longer than an hour, for a secret may have been replaced. What is kept is found by a
keyed digest of id and secret: neither can be had from the memory of a worker by guessing without the key.
"""

import hmac
import re
import secrets
from collections.abc import Callable
from typing import Any, Final

import msgspec

from kong_app_auth.domain.presented import MAX_TOKEN, ClientSecret
from kong_app_auth.domain.records import Issuer, OpenIdConnect
from kong_app_auth.oidc.endpoints import Endpoints, Unavailable
from kong_app_auth.oidc.jose import json_object
from kong_app_auth.oidc.outgoing import Answer, Outgoing
from kong_app_auth.oidc.proofs import Proofs

LIFE: Final = 60.0
"""Seconds that a token is good for where the provider does not say (RFC 6749, 5.1: it should)."""
LONGEST: Final = 3600.0
MARGIN: Final = 30.0
"""Seconds before its end from which a token is not used; a tenth of a short life."""
WRONG_FOR: Final = 5.0
"""Seconds that a wrong secret is known to be wrong."""

_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_CODES: Final = frozenset({"invalid_client", "unauthorized_client", "invalid_scope", "invalid_target", "access_denied"})
_REFUSALS: Final = frozenset({400, 401, 403})


class Granted(msgspec.Struct, frozen=True):
    """Id and secret are good. `scopes` as the provider granted them; None: those that were asked for."""

    token: str
    scope: str | None
    seconds: float

    def __repr__(self) -> str:
        """Never show the token."""
        return f"Granted(scope={self.scope!r})"


class Rejected(msgspec.Struct, frozen=True):
    """The provider refuses the client. `detail` is one of a few codes, for logs."""

    detail: str


Outcome = Granted | Rejected | Unavailable


class Exchange:
    """Exchanges, one at a time for each client of an issuer. For any number of threads."""

    def __init__(self, outgoing: Callable[[], Outgoing], on_asked: Callable[[str], None]) -> None:
        self._endpoints = Endpoints(outgoing, on_asked)
        self._proofs: Proofs[Outcome] = Proofs()
        self._key = secrets.token_bytes(32)

    def token(self, issuer: Issuer, strategy: OpenIdConnect, client: ClientSecret, until: float) -> Outcome:
        """Give the token that is known, or ask for one; `until` is monotonic time."""
        endpoint = issuer.token_endpoint
        if endpoint is None:
            return Unavailable("the issuer has no token endpoint")
        key, lane = self._digests(issuer, strategy, client)
        form = [("grant_type", "client_credentials")]
        if strategy.scopes:
            form.append(("scope", " ".join(strategy.scopes)))
        form += [("audience", audience) for audience in strategy.audience]

        def ask() -> tuple[Outcome, float]:
            found: Outcome = self._endpoints.ask(endpoint, form, (client.client_id, client.secret), until, _read)
            if isinstance(found, Granted):
                return found, found.seconds - min(MARGIN, found.seconds / 10)
            return found, WRONG_FOR if isinstance(found, Rejected) else 0.0

        return self._proofs.obtain(key, lane, until, ask) or Unavailable("others wait for this client's token")

    def forget(self, issuer: Issuer, strategy: OpenIdConnect, client: ClientSecret) -> None:
        """Ask anew the next time: the token turned out to be of no use any more."""
        self._proofs.forget(self._digests(issuer, strategy, client)[0])

    def _digests(self, issuer: Issuer, strategy: OpenIdConnect, client: ClientSecret) -> tuple[bytes, bytes]:
        """What an answer is known by, and in which lane it is asked for."""
        asked: tuple[Any, ...] = (issuer.id, issuer.token_endpoint, client.client_id)
        whole = (*asked, client.secret, strategy.scopes, strategy.audience)
        return self._digest(whole), self._digest(asked)

    def _digest(self, parts: tuple[Any, ...]) -> bytes:
        return hmac.digest(self._key, msgspec.msgpack.encode(parts), "sha256")


def _read(answer: Answer) -> Granted | Rejected | None:
    """Read an answer of a token endpoint (RFC 6749, 5.1 and 5.2); None for one that says nothing of the client."""
    if answer.status in _REFUSALS:
        code = _members(answer).get("error")
        return Rejected(code if isinstance(code, str) and code in _CODES else "refused")
    members = _members(answer)
    token, kind, scope = members.get("access_token"), members.get("token_type"), members.get("scope")
    if answer.status != 200 or not isinstance(token, str) or not isinstance(kind, str) or kind.lower() != "bearer":
        return None
    if len(token) > MAX_TOKEN or _TOKEN.fullmatch(token) is None:
        return None
    return Granted(token, scope if isinstance(scope, str) else None, _life(members.get("expires_in")))


def _members(answer: Answer) -> dict[str, Any]:
    try:
        return json_object.decode(answer.body)
    except ValueError:
        return {}


def _life(told: Any) -> float:
    """Seconds; some providers write the number as a text."""
    if isinstance(told, str) and told.isascii() and told.isdigit() and len(told) < 10:
        told = int(told)
    if type(told) not in (int, float):
        return LIFE
    return min(max(float(told), 0.0), LONGEST)
