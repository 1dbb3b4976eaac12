"""What lies in the replica's directory, and what lies in its LMDB file.

- `status`: a page of shared memory, see `status`. It names the generation of the data file that is in force.
- `registry.<generation>.mdb`, with LMDB's `…-lock` beside it: one database for each table and one named `meta`. Every
  fresh copy is a new file: it is built unseen, and put in force by one write to `status`. So readers have the old whole
  copy or the new whole copy, a node never holds the pages of two copies in memory, a copy is always packed in the order
  of its keys, and a corrupt file is left behind rather than repaired.
- `suspect.<generation>`: a reader's note to the follower that this file cannot be read.
- `copy-…/`: what a fresh copy is sorted in; gone afterwards.
- `follower.lock`: held by the one follower.
- `reports`: the socket where the follower takes the workers' reports, see `kong_app_auth.reports`.
"""

import re
from pathlib import Path
from typing import Final

import msgspec

from kong_app_auth.registry.position import Position
from kong_app_auth.registry.records import SCHEMA_VERSION

LAYOUT_VERSION: Final = 2
MAX_READERS: Final = 4096
"""Transactions open at once, over all processes: LMDB keeps a slot for each."""
MAX_DATABASES: Final = 16
META: Final = b"meta"

STATE_KEY: Final = b"state"
_DATA_FILE = re.compile(r"registry\.([0-9]{1,18})\.mdb(?:-lock)?|suspect\.([0-9]{1,18})")


class State(msgspec.Struct, frozen=True, array_like=True):
    """What the file says of itself, under one key of `meta`: written with every batch, in the same transaction."""

    layout: int
    schema: int
    region: str
    epoch: str
    seq: int
    tip: str

    @property
    def position(self) -> Position:
        """Where the registry stood of which this is the copy."""
        return Position(self.epoch, self.seq, self.tip)

    @classmethod
    def of(cls, region: str, position: Position) -> "State":
        """Describe a copy of `region` at `position` that this program makes."""
        return cls(LAYOUT_VERSION, SCHEMA_VERSION, region, position.epoch, position.seq, position.tip)


encode_state = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(State)


def decode_state(data: bytes | None) -> State | None:
    """Undo `encode_state`. None where it is not there, damaged, or of another layout or schema than this program's."""
    try:
        state = _decoder.decode(data) if data is not None else None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if state is None or (state.layout, state.schema) != (LAYOUT_VERSION, SCHEMA_VERSION):
        return None
    return state


def data_file(directory: Path, generation: int) -> Path:
    """The LMDB file of a generation."""
    return directory / f"registry.{generation}.mdb"


def suspect_file(directory: Path, generation: int) -> Path:
    """The note that a generation's file cannot be read."""
    return directory / f"suspect.{generation}"


def generation_of(name: str) -> int | None:
    """The generation that a file in the directory belongs to; None where it belongs to none."""
    found = _DATA_FILE.fullmatch(name)
    return int(found[1] or found[2]) if found else None
