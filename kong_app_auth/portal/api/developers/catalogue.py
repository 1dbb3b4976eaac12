"""`/api/v3/apis`: the catalogue of a portal."""

from typing import Annotated

from fastapi import Depends
from fastapi import Query as QueryParameter
from fastapi.responses import JSONResponse
from sqlalchemy import func
from sqlalchemy.orm import defer, joinedload

from kong_app_auth.portal.actors import SignedIn
from kong_app_auth.portal.api.listing import Field, FieldKind, Listing, Query
from kong_app_auth.portal.api.map_filters import attribute_filter
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Guest, Member, PortalAccess
from kong_app_auth.portal.contract.catalogue import (
    ActionsView,
    ApiApplication,
    CatalogueApi,
    SpecificationDocument,
    SpecificationInList,
)
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.errors import invalid
from kong_app_auth.portal.services import catalogue
from kong_app_auth.portal.store.apis import Api, ApiSpecification
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.views.catalogue import (
    actions_view,
    api_application,
    catalogue_api,
    specification_document,
    specification_in_list,
)

routes = router("/api/v3/apis", "APIs")

_LIST = Listing(
    tie=Api.id,
    default=(Api.name, Api.version),
    filters={
        "id": Field(Api.id, FieldKind.UUID),
        "name": Field(Api.name),
        "version": Field(func.coalesce(Api.version, "")),
        "description": Field(func.coalesce(Api.description, "")),
        "created_at": Field(Api.created_at, FieldKind.TIME),
        "updated_at": Field(Api.updated_at, FieldKind.TIME),
    },
    maps={"attributes": attribute_filter(Api.attributes)},
    sorts={
        "name": Api.name,
        "version": Api.version,
        "created_at": Api.created_at,
        "updated_at": Api.updated_at,
    },
)
_SPECIFICATIONS = Listing(tie=ApiSpecification.id, default=(ApiSpecification.created_at,))
_APPLICATIONS = Listing(
    tie=Application.id,
    default=(Application.name,),
    parameter="applicationfilter",
    filters={"name": Field(Application.name)},
    more=frozenset({"unregistered"}),
)


def _who(access: PortalAccess) -> str | None:
    return access.actor.id if isinstance(access.actor, SignedIn) else None


@routes.get("")
def list_apis(access: Guest, query: Annotated[Query, Depends(_LIST)]) -> ListOf[CatalogueApi]:
    """`list-apis`."""
    with access.read() as tx:
        return query.page(tx, catalogue.apis(tx, access.portal, _who(access)), catalogue_api)


@routes.get("/{api_id}")
def fetch_api(access: Guest, api_id: str) -> CatalogueApi:
    """`fetch-api`."""
    with access.read() as tx:
        return catalogue_api(catalogue.the_api(tx, access.portal, _who(access), api_id))


@routes.get("/{api_id}/actions")
def get_api_actions(access: Member, api_id: str) -> ActionsView:
    """`get-api-actions`."""
    with access.read() as tx:
        api = catalogue.the_api(tx, access.portal, access.developer_id, api_id)
        return actions_view(may_register=catalogue.may_register(tx, access.portal, access.developer_id, api))


@routes.get("/{api_id}/applications")
def get_api_applications(
    access: Member,
    api_id: str,
    query: Annotated[Query, Depends(_APPLICATIONS)],
    unregistered: Annotated[str, QueryParameter()] = "false",
) -> ListOf[ApiApplication]:
    """`get-api-applications`."""
    with access.read() as tx:
        statement, api_id = catalogue.applications(
            tx, access.portal, access.developer_id, api_id, registered=not _is_true(unregistered)
        )
        found, total = query.records(tx, statement.options(joinedload(Application.auth_strategy)))
        known = catalogue.registrations(tx, found, api_id)
        return query.written([api_application(one, known.get(one.id)) for one in found], total)


@routes.get("/{api_id}/specifications")
def list_api_specs(
    access: Guest, api_id: str, query: Annotated[Query, Depends(_SPECIFICATIONS)]
) -> ListOf[SpecificationInList]:
    """`list-api-specs`."""
    with access.read() as tx:
        statement = catalogue.specifications(tx, access.portal, _who(access), api_id)
        return query.page(tx, statement.options(defer(ApiSpecification.content)), specification_in_list)


@routes.get("/{api_id}/specifications/{specification_id}")
def fetch_api_spec(access: Guest, api_id: str, specification_id: str) -> SpecificationDocument:
    """`fetch-api-spec`."""
    with access.read() as tx:
        found = catalogue.the_specification(tx, access.portal, _who(access), api_id, specification_id)
        return specification_document(found)


@routes.get("/{api_id}/specifications/{specification_id}/raw")
def fetch_api_spec_raw(access: Guest, api_id: str, specification_id: str) -> JSONResponse:
    """`fetch-api-spec-raw`: the text as a JSON string, as the contract has it."""
    with access.read() as tx:
        found = catalogue.the_specification(tx, access.portal, _who(access), api_id, specification_id)
        return JSONResponse(found.content)


def _is_true(text: str) -> bool:
    # The contract allows it to be empty: `?unregistered` says it, too.
    if text not in ("", "true", "false"):
        raise invalid("unregistered", "must be true or false", "is_boolean", "query")
    return text != "false"
