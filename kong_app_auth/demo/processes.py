"""The processes of the demo: started in one directory, each with a log file, all stopped whatever happens."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from kong_app_auth.settings import ENV_PREFIX

_STOP_WITHIN = 10.0
_START_WITHIN = 30.0


class DemoError(Exception):
    """The demo cannot go on; the text says why, and where to look."""


def free_port(preferred: int) -> int:
    """`preferred` if nobody listens there, else any free port of the loopback interface."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoError("there is no free port on the loopback interface")


def wait_for(what: str, condition: Callable[[], bool], within: float = _START_WITHIN) -> float:
    """Wait for a condition, and give the seconds that it took. Raises DemoError."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > within:
            raise DemoError(f"waited {within:.0f} s in vain for {what}")
        time.sleep(0.001)
    return time.monotonic() - began


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def heed_interrupts() -> None:
    """Make the first SIGINT, SIGTERM or SIGHUP a KeyboardInterrupt; further ones would only disturb the ending."""

    def interrupt(_number: int, _frame: object) -> None:
        ignore_interrupts()
        raise KeyboardInterrupt

    for number in _SIGNALS:
        signal.signal(number, interrupt)


def ignore_interrupts() -> None:
    """Ignore these signals from now on."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def uninterrupted() -> Generator[None]:
    """Put these signals off until the end of the block: a process that is being started must not get lost."""
    asked: list[int] = []
    handlers = {number: signal.signal(number, lambda got, _: asked.append(got)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if asked:
            signal.raise_signal(asked[0])


def output_of_own(*arguments: str, **settings: str) -> str:
    """Run a subcommand of `kong-app-auth` to its end, and give the one line that it prints. Raises DemoError."""
    command = [sys.executable, "-P", "-m", "kong_app_auth.cli", *arguments]
    ended = subprocess.run(command, env=_environment(settings), capture_output=True, text=True, check=False)
    if ended.returncode:
        raise DemoError(f"{' '.join(arguments[:2])} ended with exit code {ended.returncode}: {ended.stderr.strip()}")
    return ended.stdout.strip()


def _environment(settings: dict[str, str]) -> dict[str, str]:
    """This process's environment with nothing of ours in it but `settings`."""
    others = {key: value for key, value in os.environ.items() if not key.startswith(ENV_PREFIX)}
    return others | {ENV_PREFIX + key.upper(): value for key, value in settings.items()}


class Processes:
    """Processes by name. Each is in a session of its own, so that Ctrl-C reaches the demo only, which ends them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Processes":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        # In the opposite order of their start: nobody misses what it needs.
        for name in reversed(list(self._running)):
            self.stop(name)

    def start(self, name: str, *command: str, **settings: str) -> None:
        """Start a command with `settings` in its environment (`region="eu"` is APP_AUTH_REGION=eu)."""
        environment = _environment(settings)
        with self.log(name).open("ab") as log, uninterrupted():
            self._running[name] = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start_own(self, name: str, *arguments: str, **settings: str) -> None:
        """Start a subcommand of `kong-app-auth`."""
        self.start(name, sys.executable, "-P", "-m", "kong_app_auth.cli", *arguments, **settings)

    def log(self, name: str) -> Path:
        """Where a process's output goes."""
        return self._directory / f"{name}.log"

    def check(self) -> None:
        """Raise DemoError if one has ended that should run."""
        for name, process in self._running.items():
            code = process.poll()
            if code is not None:
                last = self.log(name).read_text(errors="replace").strip().splitlines()[-3:]
                raise DemoError(f"{name} ended with exit code {code}:\n  " + "\n  ".join(last))

    def wait_for(self, what: str, condition: Callable[[], bool]) -> float:
        """Wait for a condition while all processes live."""

        def checked() -> bool:
            self.check()
            return condition()

        return wait_for(what, checked)

    def kill(self, name: str) -> None:
        """End a process as a power cut would."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def stop(self, name: str) -> None:
        """End a process politely, by force after a while."""
        process = self._running.pop(name)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
