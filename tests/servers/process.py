"""A server process of ours: started, waited for, paused, killed, and never left behind."""

import contextlib
import ctypes
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

PATIENCE = 20.0
"""Seconds after which a test gives up on what should take milliseconds."""

T = TypeVar("T")

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def free_port() -> int:
    """A loopback port that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(condition: Callable[[], T], what: str = "", patience: float = PATIENCE) -> T:
    """Ask again and again until the answer is true; AssertionError when patience runs out."""
    deadline = time.monotonic() + patience
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {patience} s: {what or condition}"
        time.sleep(0.005)
    return answer


def end_with_parent() -> None:
    """Have the kernel kill this process when the one that started it is gone, however that went."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def start(command: Sequence[str | Path], log: Path, **options: object) -> subprocess.Popen[bytes]:
    """Start a process that ends with this one, even if this one is killed. To be called from the main thread."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent,  # noqa: PLW1509 – one system call
            **options,  # type: ignore[call-overload]
        )


def end(process: subprocess.Popen[bytes], how: int = signal.SIGKILL) -> None:
    """End a process, paused or not, and wait for it."""
    if process.poll() is None:
        process.send_signal(how)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
    process.wait(PATIENCE)


@contextlib.contextmanager
def paused(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Stop a process for a while, as an overloaded or suspended machine does."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)
