"""How a region's registry travels from a portal to its sync daemon: NDJSON over HTTP.

A snapshot is a line with the cursor, then a line for every record. `changes` gives the records that changed after a
cursor, and a new cursor. A cursor names an epoch and a number in it; one that the portal cannot follow (another epoch,
too old, from the future) gets 410, and the daemon takes a snapshot.
"""

import msgspec

from kong_app_auth.registry.keys import Table


class Key(msgspec.Struct, frozen=True):
    """Names a record of a registry. Credentials are named by the hex SHA-256 of their key."""

    table: Table
    id: str

    def __repr__(self) -> str:
        """Name the record without the digest of a key."""
        return f"Key({self.table.value}, {'…' if self.table is Table.CREDENTIALS else self.id})"
