"""`/v3/apis/{apiId}/specifications`."""

from typing import Annotated

from fastapi import Depends
from sqlalchemy.orm import defer

from kong_app_auth.portal.api.listing import Field, Listing, Query
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Reader, Writer
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.contract.specifications import (
    CreateSpecification,
    SpecificationSummary,
    SpecificationView,
    UpdateSpecification,
)
from kong_app_auth.portal.services import specifications
from kong_app_auth.portal.store.apis import ApiSpecification
from kong_app_auth.portal.views.specifications import specification_summary, specification_view

routes = router("/v3/apis/{api_id}/specifications", "API Specification")

_LIST = Listing(
    tie=ApiSpecification.id,
    default=(ApiSpecification.created_at,),
    filters={"type": Field(ApiSpecification.type)},
)


@routes.get("")
def list_api_specs(
    access: Reader, api_id: str, query: Annotated[Query, Depends(_LIST)]
) -> ListOf[SpecificationSummary]:
    """`list-api-specs`."""
    with access.read() as tx:
        statement = specifications.of_api(tx, api_id).options(defer(ApiSpecification.content))
        return query.page(tx, statement, specification_summary)


@routes.post("", status_code=201)
def create_api_spec(access: Writer, api_id: str, wanted: CreateSpecification) -> SpecificationView:
    """`create-api-spec`."""
    examined = specifications.examine(wanted.content, wanted.type)
    with access.write() as tx:
        return specification_view(specifications.create(tx, api_id, wanted, examined))


@routes.get("/{specification_id}")
def fetch_api_spec(access: Reader, api_id: str, specification_id: str) -> SpecificationView:
    """`fetch-api-spec`."""
    with access.read() as tx:
        return specification_view(specifications.the_specification(tx, api_id, specification_id))


@routes.patch("/{specification_id}")
def update_api_spec(
    access: Writer, api_id: str, specification_id: str, wanted: UpdateSpecification
) -> SpecificationView:
    """`update-api-spec`."""
    with access.read() as tx:
        known = specifications.the_specification(tx, api_id, specification_id)
    # The text is looked at before the transaction that writes, which others wait for.
    anew = "content" in wanted.model_fields_set
    content = wanted.content if anew else known.content
    examined = specifications.examine(content, wanted.type if anew else wanted.type or known.type)
    with access.write() as tx:
        changed = specifications.update(tx, api_id, specification_id, content, examined, known=known.content)
        return specification_view(changed)


@routes.delete("/{specification_id}", status_code=204)
def delete_api_spec(access: Writer, api_id: str, specification_id: str) -> None:
    """`delete-api-spec`."""
    with access.write() as tx:
        specifications.delete(tx, api_id, specification_id)
