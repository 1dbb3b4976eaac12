"""Asking the providers that people sign in at: documents and keys, which are kept for a while, codes, and userinfo.

Nobody waits longer than a few seconds, and a provider that hangs holds only a few of the portal's threads.
"""

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar
from urllib.parse import urlencode

import msgspec

from kong_app_auth.domain.records import Issuer
from kong_app_auth.oidc.breaker import Breaker
from kong_app_auth.oidc.claims import Claims, at
from kong_app_auth.oidc.endpoints import Unavailable
from kong_app_auth.oidc.issuers import Discovery, IssuerFailed, discover, fetch_keys
from kong_app_auth.oidc.jose.outcomes import Failure, UnknownKey
from kong_app_auth.oidc.outgoing import Answer, Outgoing, Unreachable
from kong_app_auth.oidc.proofs import Proofs
from kong_app_auth.oidc.sign_in import (
    Client,
    Granted,
    Rejected,
    Request,
    authentication,
    check_id_token,
    read_granted,
    read_userinfo,
    together,
)

KEPT: Final = 300.0
FAILED_FOR: Final = 5.0
"""Seconds that documents and keys are kept, and that a provider which could not give them is left alone."""
REFRESH_EVERY: Final = 10.0
"""Seconds between two fetches of a provider's keys because an ID token names one that they lack."""
PATIENCE: Final = 12.0
"""Seconds for documents and keys; each of the two has five."""
TIMEOUT: Final = 5.0
"""Seconds for a code, and for userinfo."""
MAX_ANSWER: Final = 128 * 1024
_MOST_ISSUERS: Final = 256

T = TypeVar("T")


class Provider(msgspec.Struct, frozen=True):
    """A provider as it describes itself, and its keys."""

    discovery: Discovery
    issuer: Issuer


class SignInProviders:
    """All of them, for any number of threads. `outgoing` gives the client when it is first needed."""

    def __init__(self, outgoing: Callable[[], Outgoing]) -> None:
        self._outgoing = outgoing
        self._known: Proofs[Provider | Unavailable] = Proofs(_MOST_ISSUERS)
        self._lock = threading.Lock()
        self._refreshed: dict[str, float] = {}
        self._breakers: dict[str, Breaker] = {}

    def get(self, issuer: str) -> Provider | Unavailable:
        """Give what is known of a provider, or ask it; one question at a time."""

        def ask() -> tuple[Provider | Unavailable, float]:
            try:
                about = discover(self._outgoing(), issuer)
                keys = fetch_keys(self._outgoing(), about.jwks_uri).keys
            except IssuerFailed as failed:
                return Unavailable(failed.detail), FAILED_FOR
            return Provider(about, Issuer(issuer, about.issuer, keys)), KEPT

        key = issuer.encode()
        return self._known.obtain(key, key, time.monotonic() + PATIENCE, ask) or Unavailable("others wait for it")

    def redeem(
        self, client: Client, code: str, redirect_uri: str, request: Request, wanted: tuple[str, ...]
    ) -> Claims | Rejected | Unavailable:
        """Exchange a code and give the claims of who signed in: the ID token's, and userinfo's where it lacks `wanted`.

        `request` is the one that the authorization was asked with.
        """
        provider = self.get(client.issuer)
        if isinstance(provider, Unavailable):
            return provider
        granted = self._exchange(provider.discovery, client, code, redirect_uri, request.verifier)
        if not isinstance(granted, Granted):
            return granted
        claims = self._claims(provider, client, granted, request.nonce)
        endpoint = provider.discovery.userinfo_endpoint
        if not isinstance(claims, Claims) or endpoint is None or all(at(claims, name) is not None for name in wanted):
            return claims
        subject: str = claims["sub"]
        headers = {"Authorization": f"Bearer {granted.access_token}", "Accept": "application/json"}
        userinfo = self._ask("GET", endpoint, headers, None, lambda answer: read_userinfo(answer, subject))
        return together(claims, userinfo) if isinstance(userinfo, Claims) else userinfo

    def _exchange(
        self, discovery: Discovery, client: Client, code: str, redirect_uri: str, verifier: str
    ) -> Granted | Rejected | Unavailable:
        authenticated = authentication(client, discovery.auth_methods)
        if discovery.token_endpoint is None or authenticated is None:
            return Rejected("no_client_authentication" if discovery.token_endpoint else "no_token_endpoint")
        headers, form = authenticated
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            **form,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json", **headers}
        return self._ask("POST", discovery.token_endpoint, headers, urlencode(asked).encode("ascii"), read_granted)

    def _claims(self, provider: Provider, client: Client, granted: Granted, nonce: str) -> Claims | Rejected:
        now = time.time()
        claims = check_id_token(granted, provider.issuer, client.client_id, nonce, now)
        if isinstance(claims, UnknownKey) and self._may_refresh(client.issuer):
            fresh = self.get(client.issuer)
            if isinstance(fresh, Provider):
                claims = check_id_token(granted, fresh.issuer, client.client_id, nonce, now)
        if isinstance(claims, UnknownKey):
            return Rejected("unknown_key")
        return Rejected(claims.detail) if isinstance(claims, Failure) else claims

    def _may_refresh(self, issuer: str) -> bool:
        """Forget a provider's keys, unless that was done just now."""
        now = time.monotonic()
        with self._lock:
            if now - self._refreshed.get(issuer, -REFRESH_EVERY) < REFRESH_EVERY:
                return False
            if len(self._refreshed) >= _MOST_ISSUERS:
                self._refreshed.clear()
            self._refreshed[issuer] = now
        self._known.forget(issuer.encode())
        return True

    def _ask(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | None,
        read: Callable[[Answer], T | Rejected | Unavailable],
    ) -> T | Rejected | Unavailable:
        breaker = self._breaker(url)
        if not breaker.enter():
            return Unavailable("the provider is being left alone for a moment")
        found: T | Rejected | Unavailable = Unavailable("the provider could not be asked")
        try:
            answer = self._outgoing().request(
                method, url, body=body, headers=headers, timeout=TIMEOUT, max_bytes=MAX_ANSWER
            )
            found = read(answer)
        except Unreachable as failure:
            found = Unavailable(failure.detail)
        finally:
            breaker.leave(well=not isinstance(found, Unavailable))
        return found

    def _breaker(self, url: str) -> Breaker:
        with self._lock:
            if url not in self._breakers and len(self._breakers) >= _MOST_ISSUERS:
                self._breakers.clear()
            return self._breakers.setdefault(url, Breaker())
