"""The follower's side of a replica in a process of its own, for LMDB opens a file once in a process.

`python -m tests.unit.plugin.writer DIRECTORY` reads pickled contents from its standard input, and answers each with a
line once readers see them.
"""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from kong_app_auth.registry.changes import edit_of
from kong_app_auth.registry.contents import Contents, diff
from kong_app_auth.registry.position import Position
from kong_app_auth.replica.store import Store
from tests.servers.copies import FIRST, fill
from tests.servers.process import end


class Writer:
    """Keeps the replica in `directory` at what it was last told."""

    def __init__(self, directory: Path) -> None:
        command = [sys.executable, "-m", "tests.unit.plugin.writer", str(directory)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def write(self, contents: Contents, heard: float) -> None:
        """Have readers see these contents, last heard of at Unix time `heard`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump((contents, heard), self._process.stdin)
        self._process.stdin.flush()
        assert self._process.stdout.readline() == b"done\n"

    def close(self) -> None:
        """End the process."""
        with self._process as process:
            end(process)


def _serve(directory: Path, told: BinaryIO, answers: BinaryIO) -> None:
    store = Store(directory, "eu")
    store.open()
    before: Contents | None = None
    position = FIRST
    while True:
        try:
            contents, heard = pickle.load(told)
        except EOFError:
            return
        if before is None:
            fill(store, contents)
        else:
            position = Position(position.epoch, position.seq + 1, f"tip{position.seq + 1}")
            store.apply(position, [edit_of(one) for one in diff(before, contents)])
        store.heard(heard, heard)
        before = contents
        answers.write(b"done\n")
        answers.flush()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), sys.stdin.buffer, sys.stdout.buffer)
