"""The catalogue of a portal: the APIs that somebody sees there. What is not seen is not there."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, exists, select
from sqlalchemy.orm import contains_eager

from kong_app_auth.portal.errors import NotFound
from kong_app_auth.portal.services.apis import SUMMARY
from kong_app_auth.portal.services.ownership import applications_of
from kong_app_auth.portal.services.rbac import may_consume, visible_apis
from kong_app_auth.portal.store import ids
from kong_app_auth.portal.store.apis import Api, ApiSpecification, Publication
from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.transaction import Transaction


def apis(tx: Transaction, portal: Portal, developer_id: str | None) -> Select[Api]:
    """Select the APIs that a developer, or a visitor (None), sees, each with its publication in this portal only."""
    publication = contains_eager(Api.publications)
    return visible_apis(tx, portal, developer_id).options(SUMMARY, publication.selectinload(Publication.auth_strategy))


def the_api(tx: Transaction, portal: Portal, developer_id: str | None, api_id_or_slug: str) -> Api:
    """Give an API by id or slug with its publication in this portal only. Raises NotFound."""
    known = ids.canonical(api_id_or_slug)
    named = Api.slug == api_id_or_slug if known is None else Api.id == known
    found = tx.session.scalars(apis(tx, portal, developer_id).where(named)).unique().one_or_none()
    if found is None:
        raise NotFound("API not found")
    return found


def may_register(tx: Transaction, portal: Portal, developer_id: str, api: Api) -> bool:
    """Say whether a developer may register applications with an API that is seen: it must have an auth strategy."""
    with_strategy = api.publications[0].auth_strategy_id is not None
    return with_strategy and may_consume(tx, portal, developer_id, api.id)


def specifications(tx: Transaction, portal: Portal, developer_id: str | None, api_id: str) -> Select[ApiSpecification]:
    """Select the specifications of an API that is seen. Raises NotFound."""
    api = the_api(tx, portal, developer_id, api_id)
    return select(ApiSpecification).where(ApiSpecification.api_id == api.id)


def the_specification(
    tx: Transaction, portal: Portal, developer_id: str | None, api_id: str, specification_id: str
) -> ApiSpecification:
    """Give a specification of an API that is seen. Raises NotFound."""
    wanted = ApiSpecification.id == (ids.canonical(specification_id) or ids.NONE)
    found = tx.session.scalar(
        specifications(tx, portal, developer_id, api_id).where(wanted).execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("Specification not found")
    return found


def applications(
    tx: Transaction, portal: Portal, developer_id: str, api_id: str, *, registered: bool
) -> tuple[Select[Application], str]:
    """Select the developer's applications that are `registered` with an API, in whatever state, or that are not.

    The API's id comes with them. Raises NotFound where the API is not seen.
    """
    api = the_api(tx, portal, developer_id, api_id)
    is_registered: ColumnElement[bool] = exists().where(
        Registration.application_id == Application.id, Registration.api_id == api.id
    )
    statement = applications_of(portal.id, developer_id)
    return statement.where(is_registered if registered else ~is_registered), api.id


def registrations(tx: Transaction, found: Sequence[Application], api_id: str) -> dict[str, Registration]:
    """Give the registrations of applications with an API, by the application's id."""
    wanted = [application.id for application in found]
    of_them = select(Registration).where(Registration.application_id.in_(wanted), Registration.api_id == api_id)
    return {registration.application_id: registration for registration in tx.session.scalars(of_them)}
