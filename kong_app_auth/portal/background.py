"""What a portal does by itself: jobs that run again and again, each in a thread of its own.

A job that fails is tried again, later and later; no failure ends it, and none holds up another job.
"""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import msgspec
import structlog

from kong_app_auth.portal.plane import ControlPlane

LONGEST_PAUSE: Final = timedelta(minutes=5)
"""Between two attempts of a job that fails; a job with a longer interval keeps its own."""

_log = structlog.get_logger()


class Job(msgspec.Struct, frozen=True):
    """Something to do again and again: `run` at the start, and `interval` after it has ended."""

    name: str
    interval: timedelta
    run: Callable[[ControlPlane], object]


class Background:
    """Runs `jobs` of `plane` from `start` until `stop`."""

    def __init__(self, plane: ControlPlane, jobs: Sequence[Job]) -> None:
        self._plane = plane
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(job,), name=f"portal-{job.name}", daemon=True) for job in jobs
        ]

    def start(self) -> None:
        """Begin. Returns at once."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 10.0) -> bool:
        """Let what runs come to its end, and begin nothing more; wait `timeout` seconds at most for all together.

        False: something is still running, such as a mail server that does not answer. It ends with the process.
        """
        self._stopping.set()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _repeat(self, job: Job) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                job.run(self._plane)
                failures = 0
            except Exception as error:  # noqa: BLE001  whatever it is, the job goes on
                failures += 1
                # The text of an exception may hold what somebody sent, so only its type is logged.
                _log.error("background job failed", job=job.name, error=type(error).__name__, failures=failures)
            self._stopping.wait(pause(job, failures).total_seconds())


def pause(job: Job, failures: int) -> timedelta:
    """How long a job waits after so many failures in a row."""
    if failures == 0:
        return job.interval
    doubled: timedelta = job.interval * 2 ** min(failures, 16)
    return max(job.interval, min(doubled, LONGEST_PAUSE))
