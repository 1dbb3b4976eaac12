"""A portal's own fields on registrations."""

from kong_app_auth.portal.contract.registration_fields import AskedFieldView, RegistrationFieldView
from kong_app_auth.portal.store.applications import RegistrationField


def registration_field_view(field: RegistrationField) -> RegistrationFieldView:
    """Give a field as operators see it."""
    return RegistrationFieldView(
        id=field.id,
        created_at=field.created_at,
        updated_at=field.updated_at,
        name=field.name,
        label=field.label,
        description=field.description,
        required=field.required,
    )


def asked_field_view(field: RegistrationField) -> AskedFieldView:
    """Give a field as applicants are asked it."""
    return AskedFieldView(name=field.name, label=field.label, description=field.description, required=field.required)
