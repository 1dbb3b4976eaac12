"""Portals: made, changed, deleted."""

import re
import secrets
from typing import Final

from sqlalchemy import Select, select

from kong_app_auth.portal.contract.common import merged
from kong_app_auth.portal.contract.portals import CreatePortal, UpdatePortal
from kong_app_auth.portal.errors import Conflict, Forbidden, Invalid, InvalidParameter, NotFound, invalid
from kong_app_auth.portal.services import exposure
from kong_app_auth.portal.services.built_in_strategy import built_in
from kong_app_auth.portal.services.departures import forget_application, forget_developer, forget_team
from kong_app_auth.portal.store.apis import Publication
from kong_app_auth.portal.store.applications import Application, RegistrationField
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.portals import IdentityProvider, Portal, PortalAuthentication, TeamGroupMapping
from kong_app_auth.portal.store.strategies import AuthStrategy
from kong_app_auth.portal.store.teams import Team
from kong_app_auth.portal.transaction import Transaction

_PLAIN: Final = (
    "display_name",
    "description",
    "authentication_enabled",
    "rbac_enabled",
    "default_api_visibility",
    "default_page_visibility",
    "default_application_auth_strategy_id",
    "auto_approve_developers",
    "auto_approve_applications",
    "notifications_developer_pii_visibility_enabled",
)
"""Fields that are taken over as they are."""
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


def all_portals(tx: Transaction) -> Select[Portal]:
    """Select the portals of the caller's region."""
    return select(Portal).where(Portal.region == tx.region)


def the_portal(tx: Transaction, portal_id: str) -> Portal:
    """Give a portal of the caller's region. Raises NotFound."""
    found = tx.find(Portal, portal_id)
    if found is None or found.region != tx.region:
        raise NotFound("Portal not found")
    return found


def create(tx: Transaction, wanted: CreatePortal) -> Portal:
    """Make a portal. Its default strategy is the region's key-auth unless another is named, or null for none.

    Raises Invalid, Conflict.
    """
    _check_name(tx, wanted.name, None)
    slug = _slug(wanted.name)
    portal = Portal(
        region=tx.region,
        name=wanted.name,
        slug=slug,
        default_domain=f"{slug}.{tx.configuration.portal_domain}",
        authentication=PortalAuthentication(),
        labels=merged({}, wanted.labels),
        **{"display_name": wanted.name, **wanted.given(*_PLAIN)},
    )
    _check(tx, wanted, portal)
    if "default_application_auth_strategy_id" not in wanted.model_fields_set:
        portal.default_application_auth_strategy_id = built_in(tx).id
    tx.session.add(portal)
    tx.session.flush()
    return portal


def update(tx: Transaction, portal_id: str, wanted: UpdatePortal) -> Portal:
    """Change a portal. A new default strategy changes no publication that exists.

    Raises NotFound, Invalid, Conflict.
    """
    portal = the_portal(tx, portal_id)
    if "name" in wanted.model_fields_set:
        _check_name(tx, wanted.name, portal.id)
        portal.name = wanted.name
    for name, value in wanted.given(*_PLAIN).items():
        setattr(portal, name, value)
    if "labels" in wanted.model_fields_set:
        portal.labels = merged(portal.labels, wanted.labels)
    _check(tx, wanted, portal)
    tx.session.flush()
    return portal


def delete(tx: Transaction, portal_id: str, *, force: bool) -> None:
    """Delete a portal with all that is in it; where APIs are published in it, only with `force`.

    Raises NotFound; Conflict where APIs are published and `force` is not given.
    """
    portal = the_portal(tx, portal_id)
    publications = tx.session.scalars(select(Publication).where(Publication.portal_id == portal.id)).all()
    if publications and not force:
        raise Conflict("APIs are published in this portal; delete the publications first, or use force=true")
    for application in tx.session.scalars(select(Application).where(Application.portal_id == portal.id)):
        forget_application(tx, application)
    for record_type in (TeamGroupMapping, IdentityProvider, RegistrationField):
        for record in tx.session.scalars(select(record_type).where(record_type.portal_id == portal.id)):
            tx.session.delete(record)
        tx.session.flush()
    for team in tx.session.scalars(select(Team).where(Team.portal_id == portal.id)):
        forget_team(tx, team)
    for developer in tx.session.scalars(select(Developer).where(Developer.portal_id == portal.id)):
        forget_developer(tx, developer)
    with exposure.told(tx, portal_id=portal.id):
        for publication in publications:
            tx.session.delete(publication)
    tx.session.flush()
    tx.session.delete(portal)
    tx.session.flush()


def _check_name(tx: Transaction, name: str, own_id: str | None) -> None:
    known = tx.session.scalar(all_portals(tx).where(Portal.name == name))
    if known is not None and known.id != own_id:
        raise invalid("name", "is the name of another portal")


def _check(tx: Transaction, wanted: CreatePortal | UpdatePortal, portal: Portal) -> None:
    if wanted.sipr_enabled:
        # Never taken silently: somebody would believe that the portal is closed to other addresses.
        raise Forbidden(
            "IP allow lists are not available here; use Kong's ip-restriction plugin in front of the portal"
        )
    if portal.rbac_enabled and portal.authentication_enabled is False:
        raise Invalid(
            InvalidParameter(
                field="rbac_enabled",
                reason="needs authentication",
                rule="dependent_fields",
                dependents=("authentication_enabled",),
            )
        )
    strategy_id = wanted.default_application_auth_strategy_id
    if strategy_id is not None:
        strategy = tx.find(AuthStrategy, strategy_id)
        if strategy is None or strategy.region != tx.region:
            raise invalid("default_application_auth_strategy_id", "is no auth strategy", "missing_reference")


def _slug(name: str) -> str:
    """Make a name for paths and host names: what can be read of `name`, and twelve random digits for uniqueness."""
    readable = _NOT_SLUG.sub("-", name.lower()).strip("-")[:40].strip("-")
    return f"{readable or 'portal'}-{secrets.token_hex(6)}"
