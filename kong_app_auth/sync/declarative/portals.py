"""Reading `portals`: publications, and through them who may use which API."""

from kong_app_auth.domain.records import Acceptance, Strategy
from kong_app_auth.sync.declarative.apis import ApiEntry
from kong_app_auth.sync.declarative.applications import Portal, Publication, read_applications
from kong_app_auth.sync.declarative.fields import Fields
from kong_app_auth.sync.declarative.owners import read_owners
from kong_app_auth.sync.declarative.reading import Index, Reading

MOST_PORTALS = 1000
"""Portals of a region: each may add to the one record of an API."""

_FIELDS = ("id", "name", "default_auth_strategy", "publications", "developers", "teams", "applications")


def read_portals(top: Fields, apis: Index[ApiEntry], strategies: Index[Strategy], reading: Reading) -> None:
    """Read the portals with all that belongs to them, and complete the APIs by what their publications accept."""
    index: Index[Portal] = Index("portal")
    for count, fields in enumerate(top.maps("portals", _FIELDS), start=1):
        if count == MOST_PORTALS + 1:
            top.complain("portals", f"a region has at most {MOST_PORTALS} portals")
        name = fields.text("name", required=True)
        default = strategies.named_in(fields, "default_auth_strategy")
        # A broken default would bring complaints about everything that relies on it.
        default_broken = default is None and fields.has("default_auth_strategy")
        portal = Portal(
            id=reading.id_of("portal", fields, name or ""),
            name=name or "",
            default_strategy=default,
            publications=_publications(fields, apis, strategies, default, default_broken),
            owners=read_owners(fields, name or "", reading),
        )
        index.add((name,) if name is not None else (), portal.id, portal, fields)
        _accept(portal, reading)
        read_applications(fields, portal, apis, strategies, reading)


def _publications(
    portal: Fields, apis: Index[ApiEntry], strategies: Index[Strategy], default: Strategy | None, default_broken: bool
) -> dict[str, Publication]:
    read: dict[str, Publication] = {}
    lines: dict[str, int] = {}
    for fields in portal.maps("publications", ("api", "auth_strategy")):
        api = apis.named_in(fields, "api", required=True)
        if not fields.has("auth_strategy"):
            strategy, broken = default, default_broken
        elif fields.is_null("auth_strategy"):
            strategy, broken = None, False
        else:
            strategy = strategies.named_in(fields, "auth_strategy")
            broken = strategy is None
        if api is None:
            continue
        if api.id in read:
            fields.complain("api", f"this API is published in this portal already in line {lines[api.id]}")
        lines[api.id] = fields.line
        read[api.id] = Publication(api, strategy, broken)
    return read


def _accept(portal: Portal, reading: Reading) -> None:
    apis = reading.contents.apis
    for publication in portal.publications.values():
        if publication.strategy is not None:
            api = apis[publication.api.id]
            acceptance = Acceptance(portal.id, publication.strategy.id)
            apis[api.id] = type(api)(api.id, api.name, api.version, (*api.accepts, acceptance))
