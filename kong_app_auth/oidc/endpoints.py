"""Asking an endpoint of a provider on the path of a request: a form, authenticated by `client_secret_basic`.

Whatever goes wrong is the value `Unavailable`: the provider is away, and nobody is let in on its word.
"""

import threading
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from kong_app_auth.oidc.breaker import Breaker
from kong_app_auth.oidc.outgoing import Answer, Outgoing, Unreachable

MAX_ANSWER: Final = 16 * 1024
TIMEOUT: Final = 1.5
"""Seconds for all of it. The plugin server ends an event after two."""
_MOST_ENDPOINTS: Final = 1024

ANSWERED, FAILED, RESTING = "answered", "failed", "resting"
"""What can come of a request, for metrics; `resting`: none was made, for the provider failed, or has enough to do."""

T = TypeVar("T")


class Unavailable(msgspec.Struct, frozen=True):
    """The provider gave no answer that can be used. `detail` is for logs."""

    detail: str


class Endpoints:
    """The endpoints of one kind. `outgoing` gives the client, for the first time after a fork.

    `on_asked` is told what came of each request: `ANSWERED`, `FAILED` or `RESTING`.
    """

    def __init__(self, outgoing: Callable[[], Outgoing], on_asked: Callable[[str], None]) -> None:
        self._outgoing = outgoing
        self._on_asked = on_asked
        self._lock = threading.Lock()
        self._breakers: dict[str, Breaker] = {}

    def ask(
        self,
        url: str,
        form: Sequence[tuple[str, str]],
        client: tuple[str, str],
        until: float,
        read: Callable[[Answer], T | None],
    ) -> T | Unavailable:
        """Post a form as `client` (id and secret), by `until` (monotonic time). `read` gives None for a bad answer."""
        left = until - time.monotonic()
        if left <= 0:
            return Unavailable("no time was left to ask")
        breaker = self._breaker(url)
        if not breaker.enter():
            self._on_asked(RESTING)
            return Unavailable("the provider is being left alone for a moment")
        found: T | None = None
        try:
            answer = self._outgoing().request(
                "POST",
                url,
                body=urlencode(form).encode("ascii"),
                headers={"Content-Type": "application/x-www-form-urlencoded", "Authorization": basic(*client)},
                timeout=min(TIMEOUT, left),
                max_bytes=MAX_ANSWER,
            )
            found = read(answer)
            return Unavailable(f"the provider answered {answer.status}") if found is None else found
        except Unreachable as failure:
            return Unavailable(failure.detail)
        finally:
            breaker.leave(well=found is not None)
            self._on_asked(FAILED if found is None else ANSWERED)

    def _breaker(self, url: str) -> Breaker:
        with self._lock:
            if url not in self._breakers and len(self._breakers) >= _MOST_ENDPOINTS:
                self._breakers.clear()
            return self._breakers.setdefault(url, Breaker())


def basic(client_id: str, secret: str) -> str:
    """Write an id and a secret for the header `Authorization` (RFC 6749, 2.3.1): each encoded as a form's field.

    A blank is `%20`: every decoder of forms reads that, and so do those that decode URLs.
    """
    joined = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return "Basic " + b64encode(joined.encode("ascii")).decode("ascii")
