"""Replicas made without Redis."""

from pathlib import Path

from kong_app_auth.registry.changes import edit_of
from kong_app_auth.registry.contents import Contents, diff
from kong_app_auth.registry.position import Position
from kong_app_auth.replica.store import Store

FIRST = Position("epoch", 1, "tip1")


def fill(store: Store, contents: Contents, position: Position = FIRST) -> None:
    """Put a fresh copy of `contents` in force."""
    copy = store.fresh_copy()
    try:
        for change in diff(Contents(), contents):
            edit = edit_of(change)
            assert edit.value is not None
            copy.add(edit.table, edit.id, edit.value)
        copy.build(position, lambda: None)
        store.put_in_force(copy)
    finally:
        copy.close()


def make_replica(
    directory: Path, contents: Contents, *, region: str = "eu", heard: float = 0.0, position: Position = FIRST
) -> None:
    """Make a replica as a follower would have left it, last heard of at Unix time `heard`."""
    store = Store(directory, region)
    store.open()
    try:
        fill(store, contents, position)
        store.heard(heard, heard)
    finally:
        store.close()
