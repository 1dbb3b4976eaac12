"""Where an issuer gives tokens: asked in the background, so that no page waits for an identity provider."""

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from kong_app_auth.oidc.issuers import IssuerFailed, discover
from kong_app_auth.oidc.outgoing import Outgoing

KEPT: Final = 600.0
FAILED_FOR: Final = 60.0
"""Seconds until an issuer is asked again."""
PATIENCE: Final = 0.05
"""Seconds that a page waits for an answer that it has asked for."""
MOST: Final = 200
_log = structlog.get_logger()


class TokenEndpoints:
    """The token endpoints of issuers, as far as they are known."""

    def __init__(self, outgoing: Callable[[], Outgoing], clock: Callable[[], float] = time.monotonic) -> None:
        self._outgoing, self._clock = outgoing, clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, str | None]] = {}
        self._asking: set[str] = set()

    def of(self, issuer: str) -> str | None:
        """Give an issuer's token endpoint; None where it is not known (yet)."""
        with self._lock:
            until, endpoint = self._known.get(issuer, (0.0, None))
            fresh = until > self._clock()
            ask = not fresh and issuer not in self._asking and len(self._known) < MOST
            if ask:
                self._asking.add(issuer)
        if ask:
            worker = threading.Thread(target=self._ask, args=(issuer,), name="token-endpoint", daemon=True)
            worker.start()
            worker.join(PATIENCE)
            with self._lock:
                endpoint = self._known.get(issuer, (0.0, endpoint))[1]
        return endpoint

    def _ask(self, issuer: str) -> None:
        endpoint: str | None = None
        try:
            endpoint = discover(self._outgoing(), issuer).token_endpoint
        except IssuerFailed as failed:
            _log.info("issuer not read", issuer=issuer, problem=failed.detail)
        finally:
            with self._lock:
                lasts = FAILED_FOR if endpoint is None else KEPT
                self._known[issuer] = (self._clock() + lasts, endpoint or self._known.get(issuer, (0.0, None))[1])
                self._asking.discard(issuer)
