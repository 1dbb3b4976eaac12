"""Answers that take the same time, whatever was done for them: a clock must not tell what the answer does not."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

STEP: Final = 0.05
"""Seconds. The work behind is a few milliseconds, and differs by less."""


@contextmanager
def even_time(step: float = STEP) -> Generator[None]:
    """Let the block take a whole number of steps, also where it raises."""
    begun = time.monotonic()
    try:
        yield
    finally:
        time.sleep(step - (time.monotonic() - begun) % step)
