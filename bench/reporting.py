"""What reporting costs a request: the time that counting adds to it, and the time of adding up, both in a worker.

Bar: at most 1 µs an event on the path of the request. The rest is done once a second by a thread of its own; it is
given here too, for its CPU time is the worker's.
"""

import tempfile
import time
import timeit
import uuid
from pathlib import Path

import msgspec

from kong_app_auth.reports.counting import MOST_REFUSALS, Reporter
from kong_app_auth.reports.datagrams import Receiver

BAR_US = 1.0
EVENTS = 20_000
ROUNDS = 7


class Cost(msgspec.Struct, frozen=True):
    """Microseconds an event: added to the request, and of adding up afterwards. The best of several rounds."""

    allowed: float
    refused: float
    refused_in_a_flood: float
    adding_up: float

    @property
    def within_bar(self) -> bool:
        return max(self.allowed, self.refused, self.refused_in_a_flood) <= BAR_US


def measure() -> Cost:
    """Measure with a hundred applications, and a follower's socket that takes the reports."""
    applications = [_id() for _ in range(100)]
    passes = [(_id(), one, _API) for one in applications]
    refusals = [
        (time.time(), "not_registered", 403, "0123456789abcdef" * 2, one, _id(), _API, _SERVICE) for one in applications
    ]
    allowed, refused, flood, adding = [], [], [], []
    with tempfile.TemporaryDirectory(prefix="kaa-") as directory:
        receiver = Receiver(Path(directory))
        reporter = Reporter(directory)
        reporter._started = True  # its thread would flush while we measure: here we do
        try:
            for _ in range(ROUNDS):
                allowed.append(_each(reporter.allowed, passes, EVENTS))
                began = time.thread_time()
                reporter.flush()
                adding.append((time.thread_time() - began) / EVENTS * 1e6)
                refused.append(_each(reporter.refused, refusals, MOST_REFUSALS))
                flood.append(_each(reporter.refused, refusals, EVENTS))
                reporter.flush()
                while receiver.receive(0):
                    pass
        finally:
            receiver.close()
    return Cost(min(allowed), min(refused), min(flood), min(adding))


def _each(count, events, number: int) -> float:
    """Microseconds of one call with the making of its tuple, the loop around it taken off."""
    around = events * (number // len(events))
    loop = timeit.timeit(lambda: [None for one in around], number=1)
    calls = timeit.timeit(lambda: [count((*one,)) for one in around], number=1)
    return max(calls - loop, 0.0) / number * 1e6


def _id() -> str:
    return str(uuid.uuid4())


_API, _SERVICE = _id(), _id()


def main() -> int:
    """Print the figures; 1 where they are beyond the bar."""
    cost = measure()
    print(f"reporting: {cost.allowed:.2f} µs an allowed request, {cost.refused:.2f} µs a refused one ", end="")
    print(f"({cost.refused_in_a_flood:.2f} µs in a flood); bar {BAR_US:.1f} µs. ", end="")
    print(f"Adding up, once a second: {cost.adding_up:.2f} µs an event")
    return 0 if cost.within_bar else 1


if __name__ == "__main__":
    raise SystemExit(main())
