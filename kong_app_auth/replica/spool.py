"""Sorting a fresh copy on disk: Redis gives hashes in no order, and LMDB packs its pages only in order of the keys.

Records go to one file for each first byte of their key (256 for digests, 16 for UUIDs), and each file is sorted in
memory when its turn comes. A million credentials make files of 300 kB.
"""

import contextlib
import shutil
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from kong_app_auth.registry.keys import Table

PREFIX: Final = "copy-"
_BUFFER: Final = 8192
_HEAD = struct.Struct("!HI")


class Spool:
    """Records of all tables on their way from Redis' order to LMDB's."""

    def __init__(self, directory: Path) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=directory))
        self._files: dict[tuple[Table, int], BinaryIO] = {}

    def add(self, table: Table, key: bytes, value: bytes) -> None:
        """Take a record; of several with the same key the last counts."""
        bucket = (table, key[0])
        file = self._files.get(bucket)
        if file is None:
            path = self._directory / f"{table.value}-{key[0]:02x}"
            file = self._files[bucket] = path.open("w+b", buffering=_BUFFER)
        file.write(_HEAD.pack(len(key), len(value)) + key + value)

    def sorted(self) -> Iterator[tuple[Table, list[tuple[bytes, bytes]]]]:
        """Give the records of each table in the order of their keys, in pieces, forgetting them."""
        for table, first in sorted(self._files):
            file = self._files.pop((table, first))
            with file:
                file.seek(0)
                data = file.read()
                file.truncate(0)
            yield table, sorted(_records(data).items())

    def close(self) -> None:
        """Remove the files."""
        for file in self._files.values():
            with contextlib.suppress(OSError):  # what could not be written on a full disk is not wanted any more
                file.close()
        self._files.clear()
        shutil.rmtree(self._directory, ignore_errors=True)


def _records(data: bytes) -> dict[bytes, bytes]:
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        key_length, value_length = _HEAD.unpack_from(data, at)
        key_at = at + _HEAD.size
        value_at = key_at + key_length
        at = value_at + value_length
        records[data[key_at:value_at]] = data[value_at:at]
    return records
