"""A report, piece by piece. Every length is bounded here: reports come from gateways, and those may be broken into."""

import re
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

ALLOWED: Final = "allowed"
"""The outcome of a request that passed; every other outcome is a reason code."""

_ID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_REQUEST_ID = r"^[!-~]{1,64}$"
_known_id = re.compile(_ID).fullmatch
_known_request_id = re.compile(_REQUEST_ID).fullmatch

Id: TypeAlias = Annotated[str, Meta(max_length=36, pattern=_ID)]
RequestId: TypeAlias = Annotated[str, Meta(max_length=64, pattern=_REQUEST_ID)]
Outcome: TypeAlias = Annotated[str, Meta(max_length=32, pattern=r"^[a-z_]{1,32}$")]
Time: TypeAlias = Annotated[int, Meta(ge=0, le=2**33)]
"""Unix time in whole seconds."""
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**40)]
StreamId: TypeAlias = Annotated[str, Meta(max_length=41, pattern=r"^[0-9]{1,20}-[0-9]{1,20}$")]

MAX_ISSUER: Final = 320
MOST_ISSUERS: Final = 64
IssuerId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_ISSUER)]

BEGINNING: Final = "0-0"
"""The id before all entries of a stream."""


MAX_NODE: Final = 64
MOST_NODES: Final = 100
"""In one batch."""
_NODE = r"^[!-~]{1,64}$"
_known_node = re.compile(_NODE).fullmatch
NodeName: TypeAlias = Annotated[str, Meta(max_length=MAX_NODE, pattern=_NODE)]
Epoch: TypeAlias = Annotated[str, Meta(max_length=64)]
Seq: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]
MAX_AGE: Final = 2**31 - 1
Age: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_AGE)]
"""Whole seconds; the greatest: for ever."""


class Usage(msgspec.Struct, frozen=True, array_like=True):
    """Requests of an application to an API with one outcome, in the minute that begins at `minute` (Unix time)."""

    minute: Time
    application_id: Id | None
    api_id: Id | None
    outcome: Outcome
    requests: Count


class Refusal(msgspec.Struct, frozen=True, array_like=True):
    """One refused request, by the id that its client was shown. `at` is Unix time in seconds."""

    request_id: RequestId
    at: Time
    reason: Outcome
    status: Annotated[int, Meta(ge=100, le=599)]
    application_id: Id | None = None
    credential_id: Id | None = None
    api_id: Id | None = None
    service_id: Id | None = None


class Standing(msgspec.Struct, frozen=True):
    """How far the copy of a node is: the epoch and the number of the last change in it; None: it has no copy.

    `age`: seconds since it was last known to be complete, by the clock of the node.
    """

    epoch: Epoch | None
    seq: Seq | None
    age: Age


class Report(msgspec.Struct, frozen=True):
    """What one process or one node has to say. `uses`: credential id to when it was last let in (Unix time).

    `lost`: how many pieces of news could not be kept on the way. `unknown_keys`: ids of issuers whose tokens name a key
    that their record lacks; it is news for the daemon alone, stands in a report of its own, and is not added up.
    `standing` is that of the node which speaks, and is not added up either.
    """

    usage: list[Usage] = []
    uses: dict[Id, Time] = {}
    refusals: list[Refusal] = []
    lost: Count = 0
    unknown_keys: Annotated[list[IssuerId], Meta(max_length=MOST_ISSUERS)] = []
    standing: Standing | None = None


class Node(msgspec.Struct, frozen=True):
    """A gateway node as the daemon found it. `behind`: changes that it lacked; None: that cannot be said.

    `at`: Unix time of its report, by the clock of the region's Redis.
    """

    at: Time
    seq: Seq | None
    behind: Seq | None
    age: Age


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A region's reports on their way to the portal: all entries of the stream after `after`, up to `until`.

    `nodes`: by their names, as each said last.
    """

    after: StreamId
    until: StreamId
    report: Report
    nodes: Annotated[dict[NodeName, Node], Meta(max_length=MOST_NODES)] = {}


class Taken(msgspec.Struct, frozen=True):
    """The portal's answer: the entry of the stream up to which it has counted."""

    position: StreamId


def id_or_none(text: str | None) -> str | None:
    """Give `text` where it is an id in canonical form, else None."""
    return text if text is not None and _known_id(text) else None


def is_node_name(text: str) -> bool:
    """Say whether a node may be called so."""
    return _known_node(text) is not None


def is_request_id(text: str | None) -> bool:
    """Say whether a refusal can be found by `text`."""
    return text is not None and _known_request_id(text) is not None


def order_of(stream_id: str) -> tuple[int, int]:
    """What the ids of a stream are compared by."""
    first, _, second = stream_id.partition("-")
    return int(first), int(second)
