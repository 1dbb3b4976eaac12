"""How much is measured: the full run, or a short one that shows that the benchmark itself works."""

import msgspec


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers and durations (seconds) of a run."""

    name: str
    credentials: int
    applications: int
    keys: int
    """How many of the credentials have a known key, for the driver to present."""
    connections: tuple[int, ...] = (1, 16, 64)
    rounds: int
    seconds: float
    warm_up: float
    traced_events: int
    lookups: int
    random_requests: int
    changes: int
    edits: int
    applications_in_file: int


FULL = Plan(
    name="full",
    credentials=1_000_000,
    applications=50_000,
    keys=250_000,
    rounds=3,
    seconds=2.5,
    warm_up=0.5,
    traced_events=2_000,
    lookups=200_000,
    random_requests=200_000,
    changes=300,
    edits=60,
    applications_in_file=500,
)
QUICK = Plan(
    name="quick",
    credentials=20_000,
    applications=1_000,
    keys=5_000,
    rounds=1,
    seconds=0.25,
    warm_up=0.05,
    traced_events=300,
    lookups=10_000,
    random_requests=5_000,
    changes=20,
    edits=5,
    applications_in_file=20,
)
