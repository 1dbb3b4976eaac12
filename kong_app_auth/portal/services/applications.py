"""Applications: made, changed, deleted, by operators and by developers.

An application holds one auth strategy for good: one that an API is published with in its portal, or the portal's
default, which is taken where none is named. An application of an OpenID Connect strategy without a DCR provider brings
the `client_id` of a client that its developer has made at the identity provider; it is the only one of its strategy
with it, for a token must lead to one application. With a DCR provider the portal makes the client: `dcr_creation`.
"""

from sqlalchemy import func, select

from kong_app_auth.domain.openid_connect import is_client_id
from kong_app_auth.portal.contract.applications import (
    CreateApplicationForOwner,
    CreateOwnApplication,
    UpdateApplicationOwner,
    UpdateOwnApplication,
)
from kong_app_auth.portal.contract.common import merged
from kong_app_auth.portal.errors import Conflict, Forbidden, invalid
from kong_app_auth.portal.services import ownership
from kong_app_auth.portal.services.dcr_clients import chooses_scopes
from kong_app_auth.portal.services.departures import forget_application
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store.apis import Publication
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.store.strategies import AuthStrategy
from kong_app_auth.portal.store.teams import Team
from kong_app_auth.portal.transaction import Transaction


def for_owner(tx: Transaction, portal_id: str, wanted: CreateApplicationForOwner) -> Application:
    """Check an application for a developer or a team, as an operator; it is made by `dcr_creation.create`.

    Raises NotFound, Invalid, Conflict; Forbidden where the owner has as many as one may have.
    """
    portal = the_portal(tx, portal_id)
    owner = ownership.owner_in(tx, portal.id, wanted.owner.type, wanted.owner.id)
    strategy = _strategy(tx, portal, wanted.auth_strategy_id)
    application = Application(
        portal_id=portal.id,
        name=wanted.name,
        description=wanted.description,
        labels=merged({}, wanted.labels),
        scopes=[],
        client_id=_client_id(tx, strategy, wanted.client_id, None),
        auth_strategy=strategy,
    )
    _give(tx, application, owner)
    return application


def of_own(tx: Transaction, portal_id: str, developer_id: str, wanted: CreateOwnApplication) -> Application:
    """Check an application of a developer's own, or of a team of the developer's; `dcr_creation.create` makes it.

    Raises Invalid, Conflict; Forbidden where the owner has as many as one may have.
    """
    owner: Developer | Team = ownership.the_developer(tx, portal_id, developer_id)
    if wanted.team_id is not None:
        owner = ownership.own_team(tx, portal_id, developer_id, wanted.team_id)
    strategy = _strategy(tx, the_portal(tx, portal_id), wanted.auth_strategy_id)
    application = Application(
        portal_id=portal_id,
        name=wanted.name,
        description=wanted.description,
        redirect_uri=wanted.redirect_uri,
        labels={},
        scopes=_scopes(strategy, wanted.scopes),
        client_id=_client_id(tx, strategy, wanted.client_id, None),
        auth_strategy=strategy,
    )
    _give(tx, application, owner)
    return application


def change_owner(tx: Transaction, portal_id: str, application_id: str, wanted: UpdateApplicationOwner) -> Application:
    """Give an application to another developer or team of its portal. Raises NotFound, Invalid, Forbidden."""
    application = ownership.application_in(tx, portal_id, application_id)
    if wanted.owner is not None:
        owner = ownership.owner_in(tx, application.portal_id, wanted.owner.type, wanted.owner.id)
        _give(tx, application, owner)
        tx.session.flush()
    return application


def update_own(
    tx: Transaction, portal_id: str, developer_id: str, application_id: str, wanted: UpdateOwnApplication
) -> Application:
    """Change an application as its owner; what is not named stays. Raises NotFound, Invalid, Conflict, Forbidden."""
    application = ownership.application_of(tx, portal_id, developer_id, application_id)
    for name, value in wanted.given("name", "description", "redirect_uri").items():
        setattr(application, name, value)
    if "scopes" in wanted.model_fields_set:
        application.scopes = _scopes(application.auth_strategy, wanted.scopes)
    if "client_id" in wanted.model_fields_set and wanted.client_id != application.client_id:
        application.client_id = _client_id(tx, application.auth_strategy, wanted.client_id, application.id)
    if "team_id" in wanted.model_fields_set and wanted.team_id != application.team_id:
        owner: Developer | Team = ownership.the_developer(tx, portal_id, developer_id)
        if wanted.team_id is not None:
            owner = ownership.own_team(tx, portal_id, developer_id, wanted.team_id)
        _give(tx, application, owner)
    tx.session.flush()
    return application


def delete(tx: Transaction, application: Application) -> None:
    """Delete an application with its registrations and credentials."""
    forget_application(tx, application)


def _give(tx: Transaction, application: Application, owner: Developer | Team) -> None:
    """Make `owner` the owner, who has less than the most applications (or has this one already)."""
    is_team = isinstance(owner, Team)
    column = Application.team_id if is_team else Application.developer_id
    if owner.id == (application.team_id if is_team else application.developer_id):
        return
    most = tx.configuration.max_applications
    if (tx.session.scalar(select(func.count(Application.id)).where(column == owner.id)) or 0) >= most:
        raise Forbidden(f"Maximum number of Applications exceeded. Max Allowed: {most}")
    application.team_id = owner.id if is_team else None
    application.developer_id = None if is_team else owner.id


def _strategy(tx: Transaction, portal: Portal, strategy_id: str | None) -> AuthStrategy:
    """Give the strategy of a new application: the one named, or the portal's default. Raises Invalid."""
    wanted = strategy_id or portal.default_application_auth_strategy_id
    if wanted is None:
        raise invalid("auth_strategy_id", "is needed, for this portal has no default auth strategy", "required")
    used = select(Publication.id).where(Publication.portal_id == portal.id, Publication.auth_strategy_id == wanted)
    strategy = tx.find(AuthStrategy, wanted)
    by_default = wanted == portal.default_application_auth_strategy_id
    if strategy is None or not (by_default or tx.session.scalar(used.limit(1)) is not None):
        raise invalid("auth_strategy_id", "is no auth strategy of this portal", "missing_reference")
    return strategy


def _client_id(tx: Transaction, strategy: AuthStrategy, client_id: str | None, own_id: str | None) -> str | None:
    """Check the client id of an application with `strategy`. Raises Invalid, Conflict."""
    if strategy.dcr_provider_id is not None:
        if not client_id:
            return None
        raise invalid("client_id", "is given by the identity provider with this auth strategy")
    if not client_id:
        if strategy.strategy_type == "openid_connect":
            raise invalid("client_id", "is needed: the id of your client at the identity provider", "required")
        return None
    if strategy.strategy_type == "openid_connect" and not is_client_id(client_id):
        raise invalid("client_id", "must be visible ASCII, as the ids of OAuth clients are", "matches_regex")
    same = select(Application.id).where(Application.auth_strategy_id == strategy.id, Application.client_id == client_id)
    known = tx.session.scalar(same)
    if known is not None and known != own_id:
        raise Conflict("Another application has this client_id")
    return client_id


def _scopes(strategy: AuthStrategy, scopes: list[str]) -> list[str]:
    if scopes and not chooses_scopes(strategy.dcr_provider):
        raise invalid("scopes", "cannot be chosen with this application's auth strategy")
    available = strategy.config.get("scopes") or ()
    if strange := [scope for scope in scopes if scope not in available]:
        raise invalid("scopes", f"are not all available: {strange[0][:128]}")
    return list(dict.fromkeys(scopes))
