"""The one writer of a region: a lease, and atomic batches that follow one another without a gap.

Everything that changes Redis is one run of a Lua script, which first checks that the lease is ours and that the region
stands where we believe. A writer that slept past its lease, or whose Redis was flushed, restored or failed over, can
therefore write nothing until it has looked again.
"""

from collections.abc import Sequence
from enum import Enum

import msgspec

from kong_app_auth.registry.changes import Change
from kong_app_auth.registry.contents import Contents


class Position(msgspec.Struct, frozen=True):
    """Where a registry stands: the number of its last batch in this epoch, and the random id of that batch."""

    epoch: str
    seq: int
    tip: str


class RefusalReason(Enum):
    """Why nothing was written."""

    NO_LEASE = "another writer holds the lease, or ours has run out"
    WRONG_POSITION = "the registry does not stand where this writer left it"
    NEWER_SCHEMA = "the registry was written by a newer version"


class Refused(msgspec.Struct, frozen=True):
    """Nothing was written."""

    reason: RefusalReason


class Writer:
    """Writes the registry of `region`."""

    def __init__(
        self,
        client: object,
        region: str,
        *,
        holder: str | None = None,
        lease_seconds: float = 3.0,
        max_stream: int = 20_000,
    ) -> None:
        raise NotImplementedError

    def acquire(self) -> bool:
        """Take or renew the lease. False when another writer holds it."""
        raise NotImplementedError

    def release(self) -> None:
        """Give the lease up, if it is ours."""
        raise NotImplementedError

    def read(self) -> tuple[Position, Contents] | None:
        """Read the whole registry, and go on from there. None: nothing complete is there (fresh or flushed Redis)."""
        raise NotImplementedError

    def begin_epoch(self) -> Position | Refused:
        """Empty the region and begin a new epoch in it, which followers do not take before `complete`."""
        raise NotImplementedError

    def write(self, changes: Sequence[Change]) -> Position | Refused:
        """Write one batch of at most MAX_BATCH changes (see `in_batches`), wholly or not at all."""
        raise NotImplementedError

    def complete(self) -> Position | Refused:
        """Mark the epoch complete: followers may take it from here on."""
        raise NotImplementedError

    def heartbeat(self) -> Refused | None:
        """Tell the followers that the registry is up to date now, and extend the lease."""
        raise NotImplementedError
