"""The first copy of a large registry, what it costs in memory, and look-ups in it."""

import random
import statistics
import time
from collections.abc import Callable, Sequence

import msgspec

from bench.plan import Plan
from bench.processes import Memory, memory
from bench.region import Keys
from bench.servers import Server
from kong_app_auth.domain.api_key import digest
from kong_app_auth.replica.reader import Replica


class FirstCopy(msgspec.Struct, frozen=True):
    """From the start of the node's processes until its copy is in force."""

    credentials: int
    applications: int
    seconds: float
    file_bytes: int
    filling_seconds: float


class Lookups(msgspec.Struct, frozen=True):
    """Look-ups of one kind, one after another in one thread: microseconds each, the median of the rounds."""

    kind: str
    microseconds: float
    per_second: float


def memory_of(server: Server) -> list[Memory]:
    """The resident sizes of a node's processes."""
    return [memory(role, pid) for pid, role in server.roles().items()]


def look_up(plan: Plan, replica: Replica, keys: Keys) -> list[Lookups]:
    """Measure `Replica.credential` for keys that are good, unknown and expired."""
    unknown = random.Random(7)
    digests = {
        "hit": [digest(key) for key in keys.active],
        "miss": [unknown.randbytes(32) for _ in range(min(plan.lookups, 50_000))],
        "expired": [digest(key) for key in keys.expired],
    }
    times: dict[str, list[float]] = {kind: [] for kind in digests}
    for kind, some in digests.items():
        _time(replica.credential, some, plan.lookups // 10)  # brings pages and caches in
        found = replica.credential(some[0])[0]
        if (found is None) != (kind == "miss"):
            raise RuntimeError(f"a look-up of the kind {kind} found the wrong thing")
    for _ in range(5):
        for kind, some in digests.items():
            times[kind].append(_time(replica.credential, some, plan.lookups // 5))
    medians = {kind: statistics.median(some) for kind, some in times.items()}
    return [Lookups(kind, 1e6 * median, 1 / median) for kind, median in medians.items()]


def _time(question: Callable[[bytes], object], digests: Sequence[bytes], count: int) -> float:
    asked = [digests[number % len(digests)] for number in range(max(1, count))]
    began = time.perf_counter()
    for one in asked:
        question(one)
    return (time.perf_counter() - began) / len(asked)
