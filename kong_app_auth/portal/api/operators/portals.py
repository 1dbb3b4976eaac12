"""`/v3/portals`."""

from typing import Annotated, Literal

from fastapi import Depends, Response

from kong_app_auth.portal.api.listing import Field, FieldKind, Listing, Query
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Reader, Writer
from kong_app_auth.portal.api.warning import tell
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.contract.portals import CreatePortal, PortalView, UpdatePortal
from kong_app_auth.portal.services import portals
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.views.portals import portal_view

routes = router("/v3/portals", "Portals")

_LIST = Listing(
    tie=Portal.id,
    default=(Portal.created_at,),
    filters={
        "id": Field(Portal.id, FieldKind.UUID),
        "name": Field(Portal.name),
        "description": Field(Portal.description),
        "authentication_enabled": Field(Portal.authentication_enabled, FieldKind.BOOLEAN),
        "rbac_enabled": Field(Portal.rbac_enabled, FieldKind.BOOLEAN),
        "default_api_visibility": Field(Portal.default_api_visibility),
        "default_page_visibility": Field(Portal.default_page_visibility),
        "default_application_auth_strategy_id": Field(Portal.default_application_auth_strategy_id, FieldKind.UUID),
        "auto_approve_developers": Field(Portal.auto_approve_developers, FieldKind.BOOLEAN),
        "auto_approve_applications": Field(Portal.auto_approve_applications, FieldKind.BOOLEAN),
        "default_domain": Field(Portal.default_domain),
        "canonical_domain": Field(Portal.canonical_domain),
    },
    sorts={
        "name": Portal.name,
        "description": Portal.description,
        "authentication_enabled": Portal.authentication_enabled,
        "rbac_enabled": Portal.rbac_enabled,
        "auto_approve_applications": Portal.auto_approve_applications,
        "auto_approve_developers": Portal.auto_approve_developers,
        "default_domain": Portal.default_domain,
        "canonical_domain": Portal.canonical_domain,
        "created_at": Portal.created_at,
        "updated_at": Portal.updated_at,
    },
)


@routes.get("")
def list_portals(access: Reader, query: Annotated[Query, Depends(_LIST)]) -> ListOf[PortalView]:
    """`list-portals`."""
    with access.read() as tx:
        return query.page(tx, portals.all_portals(tx), portal_view)


@routes.post("", status_code=201)
def create_portal(access: Writer, wanted: CreatePortal) -> PortalView:
    """`create-portal`."""
    with access.write() as tx:
        return portal_view(portals.create(tx, wanted))


@routes.get("/{portal_id}")
def get_portal(access: Reader, portal_id: str) -> PortalView:
    """`get-portal`."""
    with access.read() as tx:
        return portal_view(portals.the_portal(tx, portal_id))


@routes.patch("/{portal_id}")
def update_portal(access: Writer, portal_id: str, wanted: UpdatePortal) -> PortalView:
    """`update-portal`."""
    with access.write() as tx:
        return portal_view(portals.update(tx, portal_id, wanted))


@routes.delete("/{portal_id}", status_code=204)
def delete_portal(
    access: Writer, portal_id: str, response: Response, force: Literal["true", "false"] = "false"
) -> None:
    """`delete-portal`."""
    with access.write() as tx:
        portals.delete(tx, portal_id, force=force == "true")
        tell(response, tx)
