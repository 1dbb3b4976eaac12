"""`/v3/portals/{portalId}/developers`."""

from typing import Annotated

from fastapi import Depends

from kong_app_auth.portal.api.listing import Field, Listing, Query
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Reader, Writer
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.contract.developers import CreateDeveloper, DeveloperView, UpdateDeveloper
from kong_app_auth.portal.services import developer_administration
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.views.developers import developer_view

routes = router("/v3/portals/{portal_id}/developers", "Portal Developers")

_LIST = Listing(
    tie=Developer.id,
    default=(Developer.created_at,),
    filters={
        "name": Field(Developer.full_name),
        "status": Field(Developer.status),
        "email": Field(Developer.email),
    },
    sorts={
        "created_at": Developer.created_at,
        "updated_at": Developer.updated_at,
        "email": Developer.email,
        "name": Developer.full_name,
        "status": Developer.status,
    },
)


@routes.get("")
def list_developers(access: Reader, portal_id: str, query: Annotated[Query, Depends(_LIST)]) -> ListOf[DeveloperView]:
    """`list-portal-developers`."""
    with access.read() as tx:
        return query.page(tx, developer_administration.developers_of_portal(tx, portal_id), developer_view)


@routes.post("", status_code=201)
def create_developer(access: Writer, portal_id: str, wanted: CreateDeveloper) -> DeveloperView:
    """`create-developer`."""
    with access.write() as tx:
        return developer_view(developer_administration.create(tx, portal_id, wanted))


@routes.get("/{developer_id}")
def get_developer(access: Reader, portal_id: str, developer_id: str) -> DeveloperView:
    """`get-developer`."""
    with access.read() as tx:
        return developer_view(developer_administration.the_developer(tx, portal_id, developer_id))


@routes.patch("/{developer_id}")
def update_developer(access: Writer, portal_id: str, developer_id: str, wanted: UpdateDeveloper) -> DeveloperView:
    """`update-developer`."""
    with access.write() as tx:
        return developer_view(developer_administration.update(tx, portal_id, developer_id, wanted))


@routes.delete("/{developer_id}", status_code=204)
def delete_developer(access: Writer, portal_id: str, developer_id: str) -> None:
    """`delete-developer`."""
    with access.write() as tx:
        developer_administration.delete(tx, portal_id, developer_id)
