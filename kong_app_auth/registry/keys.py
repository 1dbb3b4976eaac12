"""The names of a region's keys. All carry the hash tag `{region}`, so that a region is one slot of a cluster."""

from enum import StrEnum

import msgspec

from kong_app_auth.domain.api_key import valid_region


class Table(StrEnum):
    """The tables of a registry. The value is the end of the key, and the name of the table in the replica."""

    APIS = "apis"
    SERVICES = "services"
    STRATEGIES = "strategies"
    APPLICATIONS = "applications"
    CREDENTIALS = "credentials"
    CLIENTS = "clients"
    ISSUERS = "issuers"


class Keys(msgspec.Struct, frozen=True):
    """The keys of one region. `reports` is the stream that gateways append to; the writer owns all the others."""

    region: str

    def __post_init__(self) -> None:
        """Refuse what cannot name a region: a brace in it would move keys to another slot."""
        if not valid_region(self.region):
            raise ValueError(f"not a region name: {self.region!r}")

    @property
    def prefix(self) -> str:
        """What every key of the region begins with."""
        return f"kaa:{{{self.region}}}:"

    @property
    def meta(self) -> str:
        """Hash: schema, epoch, seq, tip, complete, written_at (Unix time in milliseconds by Redis' clock)."""
        return self.prefix + "meta"

    @property
    def changes(self) -> str:
        """Stream of batches and heartbeats; its ids are `<seq>-<n>`."""
        return self.prefix + "changes"

    @property
    def lease(self) -> str:
        """String: the token of the writer that may write now; it expires."""
        return self.prefix + "lease"

    @property
    def reports(self) -> str:
        """Stream that gateways append to: the only key they may write."""
        return self.prefix + "reports"

    def table(self, table: Table) -> str:
        """Hash of one table: field by id (credentials: hex SHA-256), value as `records` encodes it."""
        return self.prefix + table.value
