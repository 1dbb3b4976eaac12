"""`/v3/apis`, and the registrations of an API."""

from typing import Annotated, Literal

from fastapi import Depends, Response
from sqlalchemy import case, func

from kong_app_auth.portal.api.listing import Field, FieldKind, Listing, Query
from kong_app_auth.portal.api.map_filters import attribute_filter, label_filter
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Reader, Writer
from kong_app_auth.portal.api.warning import tell
from kong_app_auth.portal.contract.apis import ApiRegistrationView, ApiView, CreateApi, UpdateApi
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.services import apis, specifications
from kong_app_auth.portal.store.apis import Api, Implementation
from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.views.apis import OF_CONTROL_PLANE, OF_SERVICE, api_view, registration_view

routes = router("/v3/apis", "API")

_MODE = case(
    (Implementation.service_id.is_not(None), OF_SERVICE), (Implementation.id.is_not(None), OF_CONTROL_PLANE), else_=""
)
_LIST = Listing(
    tie=Api.id,
    default=(Api.created_at,),
    filters={
        "id": Field(Api.id, FieldKind.UUID),
        "name": Field(Api.name),
        "version": Field(func.coalesce(Api.version, "")),
        "implementation_mode": Field(_MODE),
        "created_at": Field(Api.created_at, FieldKind.TIME),
        "updated_at": Field(Api.updated_at, FieldKind.TIME),
    },
    maps={"labels": label_filter(Api.labels), "attributes": attribute_filter(Api.attributes)},
    sorts={
        "name": Api.name,
        "version": Api.version,
        "created_at": Api.created_at,
        "updated_at": Api.updated_at,
    },
)
_REGISTRATIONS = Listing(
    tie=Registration.id,
    default=(Registration.created_at,),
    filters={
        "status": Field(Registration.status),
        "portal_id": Field(Portal.id, FieldKind.UUID),
        "portal_name": Field(Portal.name),
        "application_id": Field(Application.id, FieldKind.UUID),
        "application_name": Field(Application.name),
        "application_owner_type": Field(case((Application.developer_id.is_(None), "team"), else_="developer")),
        "application_owner_id": Field(func.coalesce(Application.developer_id, Application.team_id), FieldKind.UUID),
    },
)


@routes.get("")
def list_apis(access: Reader, query: Annotated[Query, Depends(_LIST)]) -> ListOf[ApiView]:
    """`list-apis`."""
    with access.read() as tx:
        return query.page(tx, apis.all_apis(tx), api_view)


@routes.post("", status_code=201)
def create_api(access: Writer, wanted: CreateApi) -> ApiView:
    """`create-api`."""
    given = "spec_content" in wanted.model_fields_set
    specification = specifications.examine(wanted.spec_content, None, "spec_content") if given else None
    with access.write() as tx:
        return api_view(apis.create(tx, wanted, specification))


@routes.get("/{api_id}")
def fetch_api(access: Reader, api_id: str) -> ApiView:
    """`fetch-api`."""
    with access.read() as tx:
        return api_view(apis.the_whole_api(tx, api_id))


@routes.patch("/{api_id}")
def update_api(
    access: Writer,
    api_id: str,
    wanted: UpdateApi,
    force: Literal["true", "false"] = "true",  # noqa: ARG001
) -> ApiView:
    """`update-api`.

    `force` is about operations that a change of version takes away. An API has one specification here, which this
    changes nothing in, so there is nothing to force.
    """
    with access.write() as tx:
        return api_view(apis.update(tx, api_id, wanted))


@routes.delete("/{api_id}", status_code=204)
def delete_api(access: Writer, api_id: str, response: Response) -> None:
    """`delete-api`."""
    with access.write() as tx:
        apis.delete(tx, api_id)
        tell(response, tx)


@routes.get("/{api_id}/registrations")
def list_api_registrations(
    access: Reader, api_id: str, query: Annotated[Query, Depends(_REGISTRATIONS)]
) -> ListOf[ApiRegistrationView]:
    """`list-api-registrations`."""
    with access.read() as tx:
        found, total = query.records(tx, apis.registrations(tx, api_id, joined=not query.plain))
        portals = apis.portals_of(tx, found)
        return query.written([registration_view(one, portals) for one in found], total)
