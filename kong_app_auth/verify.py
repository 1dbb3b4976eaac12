"""Looking at a registry: what it holds, and whether source, Redis and a replica hold the same."""

from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, cast

import msgspec

from kong_app_auth.registry.connection import Client
from kong_app_auth.registry.contents import Contents
from kong_app_auth.registry.keys import Keys, Table
from kong_app_auth.registry.position import Position
from kong_app_auth.registry.writer import read_contents
from kong_app_auth.replica.reader import Replica
from kong_app_auth.sync.declarative.complaints import Refusal
from kong_app_auth.sync.declarative.document import LARGEST, parse
from kong_app_auth.sync.issuers.in_use import keep_issuers

SHOWN_IDS = 5


class Finding(msgspec.Struct, frozen=True):
    """One comparison: in words, and whether it found a difference."""

    what: str
    says: str
    differs: bool = False

    def line(self) -> str:
        """The finding as a line for people."""
        return f"{'DIFFERS' if self.differs else 'same   '}  {self.what}: {self.says}"


def summary(client: Client, region: str) -> list[dict[str, Any]]:
    """Where a region's registry stands, and how many records each table has. Raises LookupError where none is."""
    position, contents = _registry(client, region)
    return [{"region": region, **_plain(position)}, {table.value: len(contents.table(table)) for table in Table}]


def records_of(client: Client, region: str, table: str) -> Iterator[dict[str, Any]]:
    """The records of one table. Raises LookupError for an unknown table."""
    if table not in set(Table):
        raise LookupError(f"there is no table {table!r}; there are {', '.join(Table)}")
    _, contents = _registry(client, region)
    return iter([_plain(record) for record in contents.table(Table(table)).values()])


def verify(client: Client, region: str, source: Path, replica_directory: Path) -> list[Finding]:
    """Compare the declarative source, Redis and this node's replica, where each is there."""
    position, in_redis = _registry(client, region)
    findings: list[Finding] = []
    what = f"{source} and Redis"
    try:
        with source.open("rb") as file:
            wanted = parse(file.read(LARGEST + 1), str(source), region)
    except FileNotFoundError:
        findings.append(Finding(what, "not compared, there is no such file"))
    except OSError as error:
        findings.append(Finding(what, f"the file cannot be read: {error.strerror}", differs=True))
    else:
        if isinstance(wanted, Refusal):
            findings.append(Finding(what, f"the file is refused: {wanted.complaints[0]}", differs=True))
        else:
            # The file only names issuers; their keys are in Redis alone.
            keep_issuers(in_redis, wanted)
            findings += _compare(what, wanted, in_redis)
    replica = Replica(replica_directory)
    copied = replica.contents()
    if copied is None:
        findings.append(Finding("Redis and the replica", "not compared, this node has no copy"))
        return findings
    at, in_replica = copied
    behind = "at the same batch" if at == position else f"the replica is at batch {at.seq}, Redis at {position.seq}"
    findings.append(Finding("Redis and the replica", behind, differs=at != position))
    return findings + _compare("Redis and the replica", in_redis, in_replica)


def _compare(what: str, one: Contents, other: Contents) -> list[Finding]:
    findings: list[Finding] = []
    for table in Table:
        left, right = one.table(table), other.table(table)
        # By the records' own ids: what credentials are found by is nothing to show.
        ids = sorted(
            {(left.get(key) or right[key]).id for key in left.keys() | right.keys() if left.get(key) != right.get(key)}
        )
        says = f"{len(left)} and {len(right)} {table.value}"
        if ids:
            says += f", {len(ids)} of them not the same: " + ", ".join(ids[:SHOWN_IDS])
            says += ", …" if len(ids) > SHOWN_IDS else ""
        findings.append(Finding(what, says, differs=bool(ids)))
    return findings


def _registry(client: Client, region: str) -> tuple[Position, Contents]:
    found = read_contents(client, Keys(region))
    if found is None:
        raise LookupError(f"there is no complete registry of the region {region} in this Redis")
    return found


def _plain(value: Any) -> Any:
    """A record as JSON shows it: with the names of its fields, which its encoding leaves out, and those of states."""
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, tuple):
        return [_plain(item) for item in cast("Iterable[Any]", value)]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in cast("dict[str, Any]", value).items()}
    return value
