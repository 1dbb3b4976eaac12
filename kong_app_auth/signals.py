"""The signals that end a process of ours, noted and obeyed by its main thread when it is ready to."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def noted_signals() -> Generator[list[int]]:
    """Give a list that SIGTERM and SIGINT are put into. For the main thread only.

    The handler takes no lock, so it may run in the middle of anything. (signal.sigtimedwait would need none; but in
    Python 3.11, after SIGSTOP and SIGCONT, it returns a signal that never came.)
    """
    signalled: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        signalled.append(number)

    before = [(number, signal.signal(number, note)) for number in _SIGNALS]
    try:
        yield signalled
    finally:
        for number, handler in before:
            signal.signal(number, handler)
