"""Where a registry stands, and what stands in the way of reading it."""

from typing import Final

import msgspec

MAX_SEQ: Final = 2**53
"""Numbers of batches stay exact in Lua, which counts in doubles."""


class Position(msgspec.Struct, frozen=True):
    """The number of the last batch, which rises by one with each, and the random ids of the epoch and of that batch."""

    epoch: str
    seq: int
    tip: str


class NewerSchema(Exception):  # noqa: N818 – says what it is
    """The registry was written by a newer version of this program, and must not be interpreted by this one."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(f"the registry has schema version {found}; this program knows {known}")
