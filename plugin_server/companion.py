"""Keeping a companion process running."""

import os
import signal
import subprocess

import structlog

from plugin_server.settings import Companion

WATCHDOG_FD = "PLUGIN_SERVER_WATCHDOG_FD"
_SLOWEST_RESTART = 5.0
_STOP_WITHIN = 5.0

log = structlog.get_logger("plugin_server")


class CompanionProcess:
    """A companion, started again when it ends or hangs; ever more slowly, up to 5 s, if it does so at once."""

    def __init__(self, settings: Companion) -> None:
        self.settings = settings
        self.restarts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._last_sign = 0.0
        self._started = 0.0
        self._start_at = 0.0
        self._delay = 0.1
        self._ending_since = 0.0

    def look_after(self, now: float) -> None:
        """Start it if it is due, take its signs of life, and replace it if there are none. `now` is monotonic time."""
        process = self._process
        if self._ending_since:
            self._see_it_end(now)
            return
        if process is None:
            if now >= self._start_at:
                self._start(now)
            return
        try:
            while os.read(self._pipe, 4096):
                self._last_sign = now
        except BlockingIOError:
            pass
        code = process.poll()
        if code is None:
            if now - self._last_sign > self.settings.liveness:
                log.error("companion hangs and is replaced", companion=self.settings.name)
                process.kill()
            return
        log.error("companion ended and is started again", companion=self.settings.name, code=code)
        self._forget()
        self.restarts += 1
        self._delay = 0.1 if now - self._started > 2 * _SLOWEST_RESTART else min(2 * self._delay, _SLOWEST_RESTART)
        self._start_at = now + self._delay

    def ask_to_end(self, now: float) -> None:
        """Ask it to end and wait for nothing: `look_after` sees to it, by force after 5 s."""
        self._ending_since = now
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()

    def ended(self) -> bool:
        """Say whether there is no such process now."""
        return self._process is None

    def stop(self) -> None:
        """End it and wait: politely, then by force after 5 s."""
        self.ask_to_end(self._ending_since)
        process = self._process
        if process is None:
            return
        try:
            process.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._forget()

    def _see_it_end(self, now: float) -> None:
        if self._process is None:
            return
        if self._process.poll() is not None:
            self._forget()
        elif now - self._ending_since > _STOP_WITHIN:
            self._process.kill()

    def _start(self, now: float) -> None:
        ours, theirs = os.pipe()
        os.set_blocking(ours, False)
        try:
            self._process = subprocess.Popen(
                self.settings.command,
                env={**os.environ, **self.settings.environment, WATCHDOG_FD: str(theirs)},
                pass_fds=(theirs,),
                stdin=subprocess.DEVNULL,
            )
        except (OSError, ValueError) as error:  # ValueError: a NUL in the command or the environment
            log.error("companion cannot be started", companion=self.settings.name, error=type(error).__name__)
            os.close(ours)
            self._start_at = now + _SLOWEST_RESTART
            return
        finally:
            os.close(theirs)
        self._pipe = ours
        self._started = self._last_sign = now

    def _forget(self) -> None:
        os.close(self._pipe)
        self._process = None
