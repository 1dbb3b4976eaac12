"""`/v3/apis/{apiId}/implementations`, and the list of all."""

from typing import Annotated

from fastapi import Depends, Response

from kong_app_auth.portal.api.listing import Field, FieldKind, Listing, Query
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Reader, Writer
from kong_app_auth.portal.api.warning import tell
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.contract.implementations import (
    CreateImplementation,
    ImplementationOfApi,
    ImplementationView,
)
from kong_app_auth.portal.services import implementations, kong_gateways
from kong_app_auth.portal.store.apis import Implementation
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.views.implementations import implementation_of_api, implementation_view

routes = router("/v3", "API Implementation")

_LIST = Listing(
    tie=Implementation.id,
    default=(Implementation.created_at,),
    filters={
        "id": Field(Implementation.id, FieldKind.UUID),
        "api_id": Field(Implementation.api_id, FieldKind.UUID),
        "service_id": Field(Implementation.service_id, FieldKind.UUID),
        "control_plane_id": Field(Implementation.control_plane_id, FieldKind.UUID),
        "created_at": Field(Implementation.created_at, FieldKind.TIME),
        "updated_at": Field(Implementation.updated_at, FieldKind.TIME),
    },
    sorts={
        "id": Implementation.id,
        "api_id": Implementation.api_id,
        "control_plane_id": Implementation.control_plane_id,
        "service_id": Implementation.service_id,
        "created_at": Implementation.created_at,
        "updated_at": Implementation.updated_at,
    },
)


@routes.post("/apis/{api_id}/implementations", status_code=201)
def create_api_implementation(access: Writer, api_id: str, wanted: CreateImplementation) -> ImplementationView:
    """`create-api-implementation`."""
    with access.write() as tx:
        return _written(tx, implementations.create(tx, api_id, wanted))


@routes.get("/apis/{api_id}/implementations/{implementation_id}")
def fetch_api_implementation(access: Reader, api_id: str, implementation_id: str) -> ImplementationView:
    """`fetch-api-implementation`."""
    with access.read() as tx:
        return _written(tx, implementations.the_implementation(tx, api_id, implementation_id))


@routes.delete("/apis/{api_id}/implementations/{implementation_id}", status_code=204)
def delete_api_implementation(access: Writer, api_id: str, implementation_id: str, response: Response) -> None:
    """`delete-api-implementation`."""
    with access.write() as tx:
        implementations.delete(tx, api_id, implementation_id)
        tell(response, tx)


@routes.get("/api-implementations")
def list_api_implementations(access: Reader, query: Annotated[Query, Depends(_LIST)]) -> ListOf[ImplementationOfApi]:
    """`list-api-implementations`."""
    with access.read() as tx:
        found, total = query.records(tx, implementations.all_implementations(tx))
        errors = kong_gateways.sync_errors(tx, found)
        return query.written([implementation_of_api(one, errors) for one in found], total)


def _written(tx: Transaction, implementation: Implementation) -> ImplementationView:
    return implementation_view(implementation, kong_gateways.sync_errors(tx, [implementation]))
