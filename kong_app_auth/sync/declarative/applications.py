"""Reading the `applications` of a portal: owner, auth strategy, registrations."""

from collections import Counter
from collections.abc import Mapping

import msgspec

from kong_app_auth.domain.records import Application, RegistrationState, Strategy
from kong_app_auth.sync.declarative.apis import ApiEntry
from kong_app_auth.sync.declarative.clients import read_clients
from kong_app_auth.sync.declarative.complaints import shown
from kong_app_auth.sync.declarative.credentials import read_credentials
from kong_app_auth.sync.declarative.fields import Fields
from kong_app_auth.sync.declarative.owners import Owner, Owners
from kong_app_auth.sync.declarative.reading import Index, Reading

MOST_APPLICATIONS = 500
"""Applications a developer."""
MOST_REGISTRATIONS = 1000
"""Registrations an application: they are one record of the registry."""

_FIELDS = ("id", "name", "developer", "team", "auth_strategy", "registrations", "credentials", "client_id")
_STATES = {
    "approved": RegistrationState.APPROVED,
    "pending": RegistrationState.PENDING,
    "rejected": RegistrationState.REJECTED,
    "revoked": RegistrationState.REVOKED,
}
_LIVE = (RegistrationState.APPROVED, RegistrationState.PENDING)


class Publication(msgspec.Struct, frozen=True):
    """An API in a portal. `strategy` None: without authentication; `broken`: complained about already."""

    api: ApiEntry
    strategy: Strategy | None
    broken: bool = False


class Portal(msgspec.Struct, frozen=True):
    """What the applications of a portal need to know of it; publications by API id."""

    id: str
    name: str
    default_strategy: Strategy | None
    publications: Mapping[str, Publication]
    owners: Owners


class _Registration(msgspec.Struct, frozen=True):
    api: ApiEntry
    state: RegistrationState
    consumer: str | None
    fields: Fields


def read_applications(
    portal_fields: Fields, portal: Portal, apis: Index[ApiEntry], strategies: Index[Strategy], reading: Reading
) -> None:
    """Read a portal's applications and their keys into the contents."""
    lines: dict[tuple[str, str], int] = {}
    owned: Counter[str] = Counter()
    for fields in portal_fields.maps("applications", _FIELDS):
        name = fields.text("name", required=True)
        owner = _owner(fields, portal)
        strategy = strategies.named_in(fields, "auth_strategy")
        registrations = _registrations(fields, apis)
        if name is None or owner is None:
            read_credentials(fields, "", (portal.name, "", name or ""), reading)
            continue
        path = (portal.name, owner.kind, owner.name, name)
        if (owner.id, name) in lines:
            first = lines[owner.id, name]
            fields.complain("name", f"the same owner has an application of this name in line {first}")
        lines[owner.id, name] = fields.line
        application_id = reading.id_of("application", fields, *path)
        read_credentials(fields, application_id, path, reading)
        owned[owner.id] += 1
        if owner.kind == "developer" and owned[owner.id] == MOST_APPLICATIONS + 1:
            fields.complain("developer", f"a developer has at most {MOST_APPLICATIONS} applications")
        if strategy is None and not fields.has("auth_strategy"):
            strategy = _implied_strategy(fields, registrations, portal)
        if strategy is None:
            continue
        _check_fit(strategy, registrations, portal)
        read_clients(fields, application_id, strategy, reading)
        reading.contents.applications[application_id] = Application(
            id=application_id,
            portal_id=portal.id,
            strategy_id=strategy.id,
            developer_id=owner.id if owner.kind == "developer" else None,
            developer_revoked=not owner.may_call,
            registrations={registration.api.id: registration.state for registration in registrations},
            consumers={one.api.id: one.consumer for one in registrations if one.consumer is not None},
        )


def _owner(fields: Fields, portal: Portal) -> Owner | None:
    if fields.has("developer") == fields.has("team"):
        fields.complain(None, 'an application has one of "developer" and "team"')
        return None
    if fields.has("developer"):
        return portal.owners.developers.named_in(fields, "developer")
    return portal.owners.teams.named_in(fields, "team")


def _registrations(application: Fields, apis: Index[ApiEntry]) -> list[_Registration]:
    read: dict[str, _Registration] = {}
    for fields in application.maps("registrations", ("api", "status", "consumer")):
        api = apis.named_in(fields, "api", required=True)
        state = fields.choice("status", _STATES)
        consumer = fields.identifier("consumer")
        if api is None or state is None:
            continue
        if api.id in read:
            fields.complain(
                "api", f"the application is registered with this API already in line {read[api.id].fields.line}"
            )
        read[api.id] = _Registration(api, state, consumer, fields)
    if len(read) > MOST_REGISTRATIONS:
        application.complain("registrations", f"an application has at most {MOST_REGISTRATIONS} registrations")
    return list(read.values())


def _implied_strategy(fields: Fields, registrations: list[_Registration], portal: Portal) -> Strategy | None:
    """Take the strategy that the publications agree on.

    Live registrations come first. Rejected and revoked ones and then the portal's default are asked after them, so that
    taking the last approval away never makes a file invalid that was valid before.
    """
    for live in (True, False):
        publications = [
            portal.publications[registration.api.id]
            for registration in registrations
            if (registration.state in _LIVE) is live and registration.api.id in portal.publications
        ]
        if any(publication.broken for publication in publications):
            return None
        found = {publication.strategy.id: publication.strategy for publication in publications if publication.strategy}
        if len(found) == 1:
            return next(iter(found.values()))
        if len(found) > 1 and live:
            fields.complain(
                None, "its registrations are with APIs of different auth strategies; an application has one"
            )
            return None
    if portal.default_strategy is None:
        fields.complain(
            None, 'the field "auth_strategy" is missing, and neither a registration nor the portal implies one'
        )
    return portal.default_strategy


def _check_fit(strategy: Strategy, registrations: list[_Registration], portal: Portal) -> None:
    """Complain about live registrations with APIs not published in the portal, or with another auth strategy."""
    for registration in registrations:
        if registration.state not in _LIVE:
            continue
        publication = portal.publications.get(registration.api.id)
        if publication is None:
            registration.fields.complain("api", f"this API is not published in the portal {shown(portal.name)}")
        elif publication.strategy is None:
            if not publication.broken:
                registration.fields.complain("api", "this API is published without authentication: nobody can register")
        elif publication.strategy.id != strategy.id:
            registration.fields.complain(
                "api",
                f"this API is published with the auth strategy {shown(publication.strategy.name)}"
                f" and the application has {shown(strategy.name)}",
            )
