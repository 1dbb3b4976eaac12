"""Keeps one gateway as it should be, in a thread: when something changed, and every ten seconds."""

import threading
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from kong_app_auth.sync.kong.failures import Code, Failure
from kong_app_auth.sync.kong.outcome import Pass
from kong_app_auth.sync.kong.wanted import Wanted

CHECK_EVERY: Final = 10.0
"""Seconds between two looks at a gateway where nothing is known to have changed."""
FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 30.0
"""Seconds after a look that failed: the first, and the limit that doubling reaches."""

_log = structlog.get_logger()


class Kong(Protocol):
    """One Kong, or a group of the same."""

    def bring(self, wanted: Wanted, go_on: Callable[[], bool]) -> Pass:
        """Bring it to what is wanted, as far as `go_on` says yes."""
        ...

    def forget(self) -> None:
        """Forget how it stood: another daemon may work on it from now on, and that is no drift."""
        ...


class GatewayThread:
    """Keeps `kong`. `wanted` gives what is wanted of it, or None while this daemon is not to touch it.

    `passed` hears what each look came to, `left` that the gateway is another daemon's.
    """

    def __init__(
        self,
        name: str,
        kong: Kong,
        wanted: Callable[[], Wanted | None],
        passed: Callable[[str, Wanted, Pass], None],
        left: Callable[[str], None],
        *,
        check_every: float = CHECK_EVERY,
    ) -> None:
        self._name = name
        self._kong = kong
        self._wanted = wanted
        self._passed = passed
        self._left = left
        self._check_every = check_every
        self._wake = threading.Event()
        self._failure: Failure | None = None

    def wake(self) -> None:
        """Have it look now: something changed, or it is to end."""
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Keep the gateway until `stop` is set."""
        wait = 0.0
        while not stop.is_set():
            wanted = self._wanted()
            if wanted is None:
                self._kong.forget()
                self._left(self._name)
                pause = self._check_every
            else:
                found = self._look(wanted, stop)
                self._passed(self._name, wanted, found)
                self._say(found)
                wait = 0.0 if found.failure is None else min(max(2 * wait, FIRST_WAIT), LONGEST_WAIT)
                pause = wait or self._check_every
            self._wake.wait(pause)
            self._wake.clear()

    def _look(self, wanted: Wanted, stop: threading.Event) -> Pass:
        def go_on() -> bool:
            return not stop.is_set() and self._wanted() is not None

        try:
            return self._kong.bring(wanted, go_on)
        except Exception as error:  # noqa: BLE001  a gateway's oddities never end the keeping of it
            _log.error("look at a gateway failed", gateway=self._name, error=type(error).__name__, exc_info=True)
            return Pass(failure=Failure(Code.INTERNAL_ERROR, f"the daemon failed ({type(error).__name__})"))

    def _say(self, found: Pass) -> None:
        for line in found.put_back:
            _log.warning("put back what another hand had changed", gateway=self._name, what=line)
        if found.failure is not None and found.failure != self._failure:
            _log.warning("gateway cannot be kept", gateway=self._name, problem=found.failure.message)
        elif found.failure is None and self._failure is not None:
            _log.info("gateway can be kept again", gateway=self._name)
        self._failure = found.failure
