"""Publications: of an API in a portal, the list of all, the list of a portal's."""

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Response
from sqlalchemy import Select, literal

from kong_app_auth.portal.api.listing import Field, FieldKind, Listing, Query
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Reader, Writer
from kong_app_auth.portal.api.warning import tell
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.contract.publications import (
    PublicationOfApi,
    PublicationOfPortal,
    PublicationView,
    PutPublication,
)
from kong_app_auth.portal.services import publications
from kong_app_auth.portal.store.apis import Api, Publication
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.views.publications import (
    ENTITY_TYPE,
    publication_of_api,
    publication_of_portal,
    publication_view,
)

routes = router("/v3", "API Publication")

View = TypeVar("View")

_FILTERS = {
    "api_id": Field(Publication.api_id, FieldKind.UUID),
    "api_name": Field(Api.name),
    "auth_strategy_id": Field(Publication.auth_strategy_id, FieldKind.UUID),
    "entity_type": Field(literal(ENTITY_TYPE)),
}
_SORTS = {
    "api_id": Publication.api_id,
    "api_name": Api.name,
    "created_at": Publication.created_at,
    "updated_at": Publication.updated_at,
}
_OF_PORTAL = Listing(tie=Publication.id, default=(Publication.created_at,), filters=_FILTERS, sorts=_SORTS)
_ALL = Listing(
    tie=Publication.id,
    default=(Publication.created_at,),
    filters={
        **_FILTERS,
        "portal_id": Field(Publication.portal_id, FieldKind.UUID),
        "portal_name": Field(Portal.name),
    },
    sorts={**_SORTS, "portal_id": Publication.portal_id, "portal_name": Portal.name},
)


@routes.put("/apis/{api_id}/publications/{portal_id}")
def publish_api_to_portal(
    access: Writer, api_id: str, portal_id: str, wanted: PutPublication, response: Response
) -> PublicationView:
    """`publish-api-to-portal`."""
    with access.write() as tx:
        publication = publications.publish(tx, api_id, portal_id, wanted)
        tell(response, tx)
        return _written(tx, publication)


@routes.get("/apis/{api_id}/publications/{portal_id}")
def fetch_publication(access: Reader, api_id: str, portal_id: str) -> PublicationView:
    """`fetch-publication`."""
    with access.read() as tx:
        return _written(tx, publications.the_publication(tx, api_id, portal_id))


@routes.delete("/apis/{api_id}/publications/{portal_id}", status_code=204)
def delete_publication(access: Writer, api_id: str, portal_id: str, response: Response) -> None:
    """`delete-publication`."""
    with access.write() as tx:
        publications.unpublish(tx, api_id, portal_id)
        tell(response, tx)


@routes.get("/api-publications")
def list_api_publications(access: Reader, query: Annotated[Query, Depends(_ALL)]) -> ListOf[PublicationOfApi]:
    """`list-api-publications`."""
    with access.read() as tx:
        return _page(tx, query, publications.all_publications(tx), publication_of_api)


@routes.get("/portals/{portal_id}/api-publications")
def list_portal_api_publications(
    access: Reader, portal_id: str, query: Annotated[Query, Depends(_OF_PORTAL)]
) -> ListOf[PublicationOfPortal]:
    """`list-portal-api-publications`."""
    with access.read() as tx:
        return _page(tx, query, publications.of_portal(tx, portal_id), publication_of_portal)


def _written(tx: Transaction, publication: Publication) -> PublicationView:
    return publication_view(publication, publications.warnings(tx, [publication])[publication.id])


def _page(
    tx: Transaction, query: Query, statement: Select[Publication], view: Callable[[Publication, list[str]], View]
) -> ListOf[View]:
    found, total = query.records(tx, statement)
    warnings = publications.warnings(tx, found)
    return query.written([view(one, warnings[one.id]) for one in found], total)
