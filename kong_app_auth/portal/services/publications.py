"""Publications: which API is in which portal, how it is seen there, and how applications authenticate."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Select, and_, func, or_, select, tuple_
from sqlalchemy.orm import joinedload

from kong_app_auth.portal.contract.publications import PutPublication
from kong_app_auth.portal.errors import NotFound, invalid
from kong_app_auth.portal.services import exposure
from kong_app_auth.portal.services.apis import the_api
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store.apis import Api, Publication
from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.store.strategies import AuthStrategy
from kong_app_auth.portal.transaction import Transaction

NO_DEVELOPERS: Final = "The portal has no developer authentication, so nobody can register an application"
NO_VIEWERS: Final = "The portal has no developer authentication, so nobody can see a private API"


def all_publications(tx: Transaction) -> Select[Publication]:
    """Select the publications of the caller's region; `Api` and `Portal` are joined to them."""
    return (
        select(Publication)
        .join(Publication.api)
        .join(Publication.portal)
        .where(Api.region == tx.region)
        .options(joinedload(Publication.portal))
    )


def of_portal(tx: Transaction, portal_id: str) -> Select[Publication]:
    """Select the publications of a portal. Raises NotFound."""
    return all_publications(tx).where(Publication.portal_id == the_portal(tx, portal_id).id)


def the_publication(tx: Transaction, api_id: str, portal_id: str) -> Publication:
    """Give the publication of an API in a portal, both of the caller's region. Raises NotFound."""
    api, portal = the_api(tx, api_id), the_portal(tx, portal_id)
    found = _publication(tx, api, portal)
    if found is None:
        raise NotFound("The API is not published in this portal")
    return found


def publish(tx: Transaction, api_id: str, portal_id: str, wanted: PutPublication) -> Publication:
    """Publish an API in a portal, or say anew how it is published there.

    The request says the whole publication, the first time and later: what it leaves out is as the portal's defaults
    are now (strategy, visibility), or false (auto approve). A portal's default that changes touches no publication
    until somebody publishes again. Registrations stay, whatever the strategy becomes: `warnings` counts those that the
    gateway refuses from now on. Raises NotFound, Invalid.
    """
    api, portal = the_api(tx, api_id), the_portal(tx, portal_id)
    publication = _publication(tx, api, portal)
    if publication is None:
        publication = Publication(api_id=api.id, portal_id=portal.id)
        tx.session.add(publication)
    given = wanted.model_fields_set
    strategy_id = portal.default_application_auth_strategy_id
    if "auth_strategy_ids" in given:
        strategy_id = _strategy(tx, wanted.auth_strategy_ids)
    with exposure.told(tx, api_id=api.id):
        publication.auth_strategy_id = strategy_id
    publication.visibility = wanted.visibility if "visibility" in given else portal.default_api_visibility
    publication.auto_approve_registrations = wanted.auto_approve_registrations
    tx.session.flush()
    return publication


def unpublish(tx: Transaction, api_id: str, portal_id: str) -> None:
    """Take an API out of a portal, with the registrations that the portal's applications have with it.

    Raises NotFound.
    """
    publication = the_publication(tx, api_id, portal_id)
    registered = (
        select(Registration)
        .join(Registration.application)
        .where(Registration.api_id == publication.api_id, Application.portal_id == publication.portal_id)
    )
    for registration in tx.session.scalars(registered):
        tx.session.delete(registration)
    with exposure.told(tx, api_id=publication.api_id):
        tx.session.delete(publication)
    tx.session.flush()


def warnings(tx: Transaction, publications: Iterable[Publication]) -> dict[str, list[str]]:
    """Say what is odd about publications, by their ids; at most two SQL statements for all of them."""
    found = list(publications)
    refused = _refused_registrations(tx, found)
    return {one.id: _warnings(one, refused.get(one.id, 0)) for one in found}


def _warnings(publication: Publication, refused: int) -> list[str]:
    told: list[str] = []
    if not publication.portal.authentication_enabled:
        if publication.auth_strategy_id is not None:
            told.append(NO_DEVELOPERS)
        if publication.visibility == "private":
            told.append(NO_VIEWERS)
    if refused:
        them = "1 registration is" if refused == 1 else f"{refused} registrations are"
        told.append(f"{them} of applications with another auth strategy; the gateway refuses them")
    return told


def _refused_registrations(tx: Transaction, publications: list[Publication]) -> dict[str, int]:
    """Count, by publication, the registrations of applications whose strategy is not that of the publication.

    Most portals have no such applications. That is found in an index, without a look at any registration.
    """
    publications = _with_other_strategies(tx, publications)
    if not publications:
        return {}
    counted = (
        select(Publication.id, func.count())
        .join(Application, Application.portal_id == Publication.portal_id)
        .join(
            Registration,
            and_(Registration.application_id == Application.id, Registration.api_id == Publication.api_id),
        )
        .where(
            tuple_(Publication.api_id, Publication.portal_id).in_(
                [(one.api_id, one.portal_id) for one in publications]
            ),
            Registration.status.in_(("approved", "pending")),
            or_(Publication.auth_strategy_id.is_(None), Application.auth_strategy_id != Publication.auth_strategy_id),
        )
        .group_by(Publication.id)
    )
    return {found[0]: found[1] for found in tx.session.execute(counted)}


def _with_other_strategies(tx: Transaction, publications: list[Publication]) -> list[Publication]:
    held = select(Application.portal_id, Application.auth_strategy_id).distinct()
    portals = {one.portal_id for one in publications}
    strategies: dict[str, set[str]] = {}
    for portal_id, strategy_id in tx.session.execute(held.where(Application.portal_id.in_(portals))):
        strategies.setdefault(portal_id, set()).add(strategy_id)
    return [one for one in publications if strategies.get(one.portal_id, set()) - {one.auth_strategy_id}]


def _publication(tx: Transaction, api: Api, portal: Portal) -> Publication | None:
    return tx.session.scalar(
        select(Publication).where(Publication.api_id == api.id, Publication.portal_id == portal.id)
    )


def _strategy(tx: Transaction, strategy_ids: list[str] | None) -> str | None:
    if strategy_ids is None:
        return None
    strategy = tx.find(AuthStrategy, strategy_ids[0])
    if strategy is None or strategy.region != tx.region:
        raise invalid("auth_strategy_ids", "is no auth strategy", "missing_reference")
    return strategy.id
