"""Who asks."""

from typing import TypeAlias

import msgspec


class Operator(msgspec.Struct, frozen=True):
    """The holder of a bearer token: `writes` or only reads, in one region."""

    id: str
    name: str
    region: str
    writes: bool


class SignedIn(msgspec.Struct, frozen=True):
    """A developer with a session at a portal."""

    id: str
    session_id: str
    portal_id: str
    region: str


class Anonymous(msgspec.Struct, frozen=True):
    """A visitor of a portal."""

    portal_id: str
    region: str


class System(msgspec.Struct, frozen=True):
    """The portal itself: expiry warnings, reports taken in, commands on its machine."""

    region: str
    name: str = "system"


Actor: TypeAlias = Operator | SignedIn | Anonymous | System
