"""`/v2/dcr-providers`."""

from typing import Annotated

from fastapi import Depends

from kong_app_auth.portal.api.listing import Field, FieldKind, Listing, Query
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Reader, Writer
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.contract.dcr_providers import CreateProvider, ProviderView, UpdateProvider, Verification
from kong_app_auth.portal.services import dcr_providers
from kong_app_auth.portal.store.strategies import DcrProvider
from kong_app_auth.portal.views.dcr_providers import provider_view

routes = router("/v2/dcr-providers", "DCR Providers")

_LIST = Listing(
    tie=DcrProvider.id,
    default=(DcrProvider.created_at,),
    filters={
        "id": Field(DcrProvider.id, FieldKind.UUID),
        "issuer": Field(DcrProvider.issuer),
        "name": Field(DcrProvider.name),
        "provider_type": Field(DcrProvider.provider_type),
        "initial_client_id": Field(DcrProvider.config["initial_client_id"].as_string()),
        "initial_client_audience": Field(DcrProvider.config["initial_client_audience"].as_string()),
    },
    sorts={
        "created_at": DcrProvider.created_at,
        "updated_at": DcrProvider.updated_at,
        "provider_type": DcrProvider.provider_type,
        "issuer": DcrProvider.issuer,
        "name": DcrProvider.name,
    },
)


@routes.get("")
def list_dcr_providers(access: Reader, query: Annotated[Query, Depends(_LIST)]) -> ListOf[ProviderView]:
    """`list-dcr-providers`."""
    with access.read() as tx:
        return query.page(tx, dcr_providers.all_providers(tx), provider_view)


@routes.post("", status_code=201)
def create_dcr_provider(access: Writer, wanted: CreateProvider) -> ProviderView:
    """`create-dcr-provider`."""
    with access.write() as tx:
        return provider_view(dcr_providers.create(tx, wanted))


@routes.get("/{dcr_provider_id}")
def get_dcr_provider(access: Reader, dcr_provider_id: str) -> ProviderView:
    """`get-dcr-provider`."""
    with access.read() as tx:
        return provider_view(dcr_providers.the_provider(tx, dcr_provider_id))


@routes.patch("/{dcr_provider_id}")
def update_dcr_provider(access: Writer, dcr_provider_id: str, wanted: UpdateProvider) -> ProviderView:
    """`update-dcr-provider`."""
    with access.write() as tx:
        return provider_view(dcr_providers.update(tx, dcr_provider_id, wanted))


@routes.delete("/{dcr_provider_id}", status_code=204)
def delete_dcr_provider(access: Writer, dcr_provider_id: str) -> None:
    """`delete-dcr-provider`."""
    with access.write() as tx:
        dcr_providers.delete(tx, dcr_provider_id)


@routes.post("/{dcr_provider_id}/verify")
def verify_dcr_provider(access: Writer, dcr_provider_id: str) -> Verification:
    """`verify-dcr-provider`."""
    errors = dcr_providers.verify(access, dcr_provider_id)
    return Verification(status="failed" if errors else "success", errors=list(errors))
