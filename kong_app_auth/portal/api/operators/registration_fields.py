"""Beyond Konnect: `/v3/portals/{id}/registration-fields`, what applicants are asked when they register."""

from typing import Annotated

from fastapi import Depends

from kong_app_auth.portal.api.listing import Field, FieldKind, Listing, Query
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Reader, Writer
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.contract.registration_fields import (
    CreateRegistrationField,
    RegistrationFieldView,
    UpdateRegistrationField,
)
from kong_app_auth.portal.services import registration_fields
from kong_app_auth.portal.store.applications import RegistrationField
from kong_app_auth.portal.views.registration_fields import registration_field_view

routes = router("/v3/portals/{portal_id}/registration-fields", "Registration fields")

_LIST = Listing(
    tie=RegistrationField.id,
    default=(RegistrationField.created_at,),
    filters={
        "name": Field(RegistrationField.name),
        "required": Field(RegistrationField.required, FieldKind.BOOLEAN),
    },
    sorts={"created_at": RegistrationField.created_at, "name": RegistrationField.name},
)


@routes.get("")
def list_registration_fields(
    access: Reader, portal_id: str, query: Annotated[Query, Depends(_LIST)]
) -> ListOf[RegistrationFieldView]:
    """List what applicants are asked."""
    with access.read() as tx:
        return query.page(tx, registration_fields.fields_in(tx, portal_id), registration_field_view)


@routes.post("", status_code=201)
def create_registration_field(access: Writer, portal_id: str, wanted: CreateRegistrationField) -> RegistrationFieldView:
    """Ask for one more thing."""
    with access.write() as tx:
        return registration_field_view(registration_fields.create(tx, portal_id, wanted))


@routes.get("/{field_id}")
def get_registration_field(access: Reader, portal_id: str, field_id: str) -> RegistrationFieldView:
    """Give one of the fields."""
    with access.read() as tx:
        return registration_field_view(registration_fields.the_field(tx, portal_id, field_id))


@routes.patch("/{field_id}")
def update_registration_field(
    access: Writer, portal_id: str, field_id: str, wanted: UpdateRegistrationField
) -> RegistrationFieldView:
    """Change what is asked, from the next registration on."""
    with access.write() as tx:
        return registration_field_view(registration_fields.update(tx, portal_id, field_id, wanted))


@routes.delete("/{field_id}", status_code=204)
def delete_registration_field(access: Writer, portal_id: str, field_id: str) -> None:
    """Ask for it no more; answers that were given stay."""
    with access.write() as tx:
        registration_fields.delete(tx, portal_id, field_id)
