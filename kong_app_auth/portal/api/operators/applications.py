"""`/v3/portals/{id}/applications` and `/v3/applications/{id}`."""

from typing import Annotated, Any, Final

from fastapi import Depends
from sqlalchemy import func, literal
from sqlalchemy.orm import selectinload, undefer

from kong_app_auth.portal.api.listing import Field, FieldKind, Listing, Query
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Reader, Writer
from kong_app_auth.portal.contract.applications import (
    ApplicationDeveloperView,
    ApplicationView,
    CreateApplicationForOwner,
    UpdateApplicationOwner,
)
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.services import applications, dcr_creation, ownership
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.base import Id
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.views.applications import application_developer_view, application_view

routes = router("/v3/portals/{portal_id}/applications", "Applications")
unscoped = router("/v3/applications", "Applications")

_NOBODY: Final = literal("ffffffff-ffff-ffff-ffff-ffffffffffff", Id)
"""The owner of the other sort: what has none of a sort is not the one that a `neq` filter names."""


def or_nobody(column: Any) -> Any:
    """Give a column of owners that is never null, for filters."""
    return func.coalesce(column, _NOBODY)


_LIST = Listing(
    tie=Application.id,
    default=(Application.created_at,),
    filters={
        "developer_id": Field(or_nobody(Application.developer_id), FieldKind.UUID),
        "name": Field(Application.name),
        "team_id": Field(or_nobody(Application.team_id), FieldKind.UUID),
    },
    sorts={
        "created_at": Application.created_at,
        "developer_id": Application.developer_id,
        "name": Application.name,
    },
)
_DEVELOPERS = Listing(tie=Developer.id, filters={"id": Field(Developer.id, FieldKind.UUID)}, sorts={"id": Developer.id})


@routes.get("")
def list_applications(
    access: Reader, portal_id: str, query: Annotated[Query, Depends(_LIST)]
) -> ListOf[ApplicationView]:
    """`list-applications`."""
    with access.read() as tx:
        found = ownership.applications_in(tx, portal_id).options(
            selectinload(Application.auth_strategy), undefer(Application.registration_count)
        )
        return query.page(tx, found, application_view)


@routes.post("", status_code=201)
def create_application(access: Writer, portal_id: str, wanted: CreateApplicationForOwner) -> ApplicationView:
    """`create-application`. With a DCR provider its client is made there too, or `dcr_client_id` is taken over."""
    return dcr_creation.create(
        access,
        lambda tx: applications.for_owner(tx, portal_id, wanted),
        lambda application, _secret: application_view(application),
        wanted.dcr_client_id,
    )


@routes.get("/{application_id}")
def get_application(access: Reader, portal_id: str, application_id: str) -> ApplicationView:
    """`get-application`."""
    with access.read() as tx:
        return application_view(ownership.application_in(tx, portal_id, application_id))


@routes.patch("/{application_id}")
def update_application(
    access: Writer, portal_id: str, application_id: str, wanted: UpdateApplicationOwner
) -> ApplicationView:
    """`update-application`."""
    with access.write() as tx:
        return application_view(applications.change_owner(tx, portal_id, application_id, wanted))


@routes.delete("/{application_id}", status_code=204)
def delete_application(access: Writer, portal_id: str, application_id: str) -> None:
    """`delete-application`."""
    with access.write() as tx:
        applications.delete(tx, ownership.application_in(tx, portal_id, application_id))


@routes.get("/{application_id}/developers")
def list_developers_by_application(
    access: Reader, portal_id: str, application_id: str, query: Annotated[Query, Depends(_DEVELOPERS)]
) -> ListOf[ApplicationDeveloperView]:
    """`list-developers-by-application`."""
    with access.read() as tx:
        application = ownership.application_in(tx, portal_id, application_id)
        return query.page(tx, ownership.developers_of(application), application_developer_view)


@unscoped.get("/{application_id}")
def get_application_unscoped(access: Reader, application_id: str) -> ApplicationView:
    """`get-application-unscoped`."""
    with access.read() as tx:
        return application_view(ownership.application_in_region(tx, application_id))
