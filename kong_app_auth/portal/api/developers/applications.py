"""`/api/v3/applications`: a developer's own applications, and those of the developer's teams."""

from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import func, literal
from sqlalchemy.orm import selectinload

from kong_app_auth.portal.api.listing import Field, FieldKind, Listing, Query
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Member
from kong_app_auth.portal.contract.applications import (
    CreateOwnApplication,
    GrantedScopesView,
    NewOwnApplicationView,
    OwnApplicationView,
    UpdateOwnApplication,
)
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.errors import Unprocessable, invalid
from kong_app_auth.portal.services import applications, dcr_creation, ownership
from kong_app_auth.portal.store import ids
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.base import Id
from kong_app_auth.portal.views.applications import new_own_application_view, own_application_view

routes = router("/api/v3/applications", "Own applications")

_TEAM = func.coalesce(Application.team_id, literal(ids.NONE, Id))
"""The owning team; `null` in a filter means none, and reads as the id of no record."""
_LIST = Listing(
    tie=Application.id,
    default=(Application.created_at,),
    filters={
        "name": Field(Application.name),
        "auth_strategy_id": Field(Application.auth_strategy_id, FieldKind.UUID),
        "team_id": Field(_TEAM, FieldKind.UUID),
    },
)


def _query(request: Request) -> Query:
    """Read the list's query; a team is a UUID or the word null."""
    for name, value in request.query_params.multi_items():
        if name.startswith("filter[team_id]"):
            several = value.split(",") if name.endswith("[oeq]") else [value]
            if any(ids.canonical(one.strip()) is None and one != "null" for one in several):
                raise invalid(name, "must be a UUID or null", "is_uuid", "query")
    return _LIST(request)


@routes.get("")
def list_applications(access: Member, query: Annotated[Query, Depends(_query)]) -> ListOf[OwnApplicationView]:
    """`list-applications`."""
    with access.read() as tx:
        found = ownership.applications_of(access.portal.id, access.developer_id)
        return query.page(tx, found.options(selectinload(Application.auth_strategy)), own_application_view)


@routes.post("", status_code=201)
def create_application(access: Member, wanted: CreateOwnApplication) -> NewOwnApplicationView:
    """`create-application`. The strategy is one that an API is published with here, or the portal's default.

    The secret of a client that was made for it is in this answer only.
    """
    return dcr_creation.create(
        access,
        lambda tx: applications.of_own(tx, access.portal.id, access.developer_id, wanted),
        new_own_application_view,
    )


@routes.get("/{application_id}")
def get_application(access: Member, application_id: str) -> OwnApplicationView:
    """`get-application`."""
    with access.read() as tx:
        return own_application_view(ownership.application_of(tx, access.portal.id, access.developer_id, application_id))


@routes.patch("/{application_id}")
def update_application(access: Member, application_id: str, wanted: UpdateOwnApplication) -> OwnApplicationView:
    """`update-application`."""
    with access.write() as tx:
        return own_application_view(
            applications.update_own(tx, access.portal.id, access.developer_id, application_id, wanted)
        )


@routes.delete("/{application_id}", status_code=204)
def delete_application(access: Member, application_id: str) -> None:
    """`delete-application`."""
    with access.write() as tx:
        applications.delete(tx, ownership.application_of(tx, access.portal.id, access.developer_id, application_id))


@routes.get("/{application_id}/granted-scopes")
def get_application_granted_scopes(access: Member, application_id: str) -> GrantedScopesView:
    """`get-application-granted-scopes`: those that the DCR provider gave, where it tells."""
    with access.read() as tx:
        application = ownership.application_of(tx, access.portal.id, access.developer_id, application_id)
        if application.granted_scopes is None:
            raise Unprocessable("This feature is not supported by the application.")
        return GrantedScopesView(scopes=application.granted_scopes)
