"""Reading the `developers` and `teams` of a portal: who may own applications."""

import msgspec

from kong_app_auth.sync.declarative.fields import Fields
from kong_app_auth.sync.declarative.reading import Index, Reading

_MAY_CALL = {"approved": True, "pending": False, "rejected": False, "revoked": False}


class Owner(msgspec.Struct, frozen=True):
    """A developer or a team. `may_call` is false for a developer who is not approved: no key of theirs works."""

    id: str
    kind: str
    name: str
    may_call: bool = True


class Owners(msgspec.Struct, frozen=True):
    """The owners of one portal, known by name and by id."""

    developers: Index[Owner]
    teams: Index[Owner]


def read_owners(portal: Fields, portal_name: str, reading: Reading) -> Owners:
    """Read developers and teams. A developer may go by an id alone: no personal data is needed here."""
    developers: Index[Owner] = Index("developer")
    for fields in portal.maps("developers", ("id", "name", "status")):
        name = fields.text("name", required=not fields.has("id"))
        may_call = fields.choice("status", _MAY_CALL, default=True)
        _add(developers, Owner("", "developer", name or "", may_call is True), fields, portal_name, reading)
    teams: Index[Owner] = Index("team")
    for fields in portal.maps("teams", ("id", "name")):
        name = fields.text("name", required=not fields.has("id"))
        _add(teams, Owner("", "team", name or ""), fields, portal_name, reading)
    return Owners(developers, teams)


def _add(index: Index[Owner], owner: Owner, fields: Fields, portal_name: str, reading: Reading) -> None:
    owner_id = reading.id_of(owner.kind, fields, portal_name, owner.name)
    named = msgspec.structs.replace(owner, id=owner_id, name=owner.name or owner_id)
    index.add((named.name,) if owner.name else (), owner_id, named, fields)
