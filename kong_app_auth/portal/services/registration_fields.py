"""A portal's own fields on registrations: what applicants are asked, and what they answer."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Select, func, select

from kong_app_auth.portal.contract.registration_fields import CreateRegistrationField, UpdateRegistrationField
from kong_app_auth.portal.contract.registrations import MAX_FIELDS
from kong_app_auth.portal.errors import Conflict, Invalid, InvalidParameter, NotFound
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store.applications import RegistrationField
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.transaction import Transaction

_PLAIN: Final = ("label", "description", "required")


def fields_in(tx: Transaction, portal_id: str) -> Select[RegistrationField]:
    """Select the fields of a portal of the caller's region. Raises NotFound."""
    return select(RegistrationField).where(RegistrationField.portal_id == the_portal(tx, portal_id).id)


def the_field(tx: Transaction, portal_id: str, field_id: str) -> RegistrationField:
    """Give a field of a portal of the caller's region. Raises NotFound."""
    portal = the_portal(tx, portal_id)
    found = tx.find(RegistrationField, field_id)
    if found is None or found.portal_id != portal.id:
        raise NotFound("Registration field not found")
    return found


def create(tx: Transaction, portal_id: str, wanted: CreateRegistrationField) -> RegistrationField:
    """Ask for one more thing. Raises NotFound; Conflict where the name is taken, or there are as many as may be."""
    own = fields_in(tx, portal_id)
    count = tx.session.scalar(own.with_only_columns(func.count(RegistrationField.id))) or 0
    if count >= MAX_FIELDS:
        raise Conflict(f"Maximum number of registration fields exceeded. Max Allowed: {MAX_FIELDS}")
    if tx.session.scalar(own.where(RegistrationField.name == wanted.name)) is not None:
        raise Conflict("There is a registration field of this name")
    field = RegistrationField(
        portal_id=the_portal(tx, portal_id).id,
        name=wanted.name,
        label=wanted.label,
        description=wanted.description,
        required=wanted.required,
    )
    tx.session.add(field)
    tx.session.flush()
    return field


def update(tx: Transaction, portal_id: str, field_id: str, wanted: UpdateRegistrationField) -> RegistrationField:
    """Change what is asked. Registrations that exist are not asked again. Raises NotFound."""
    field = the_field(tx, portal_id, field_id)
    for name, value in wanted.given(*_PLAIN).items():
        setattr(field, name, value)
    tx.session.flush()
    return field


def delete(tx: Transaction, portal_id: str, field_id: str) -> None:
    """Ask for it no more. Answers that were given stay. Raises NotFound."""
    tx.session.delete(the_field(tx, portal_id, field_id))
    tx.session.flush()


def checked_answers(tx: Transaction, portal: Portal, answers: Mapping[str, str]) -> dict[str, str]:
    """Give the answers of a new registration: all required ones, and none to fields there are not. Raises Invalid."""
    asked = {field.name: field for field in tx.session.scalars(fields_in(tx, portal.id))}
    wrong = [
        InvalidParameter(field=f"fields.{name}", reason="is no field of this portal", rule="unknown_property")
        for name in answers
        if name not in asked
    ]
    wrong += [
        InvalidParameter(field=f"fields.{name}", reason="is required", rule="required")
        for name, field in asked.items()
        if field.required and not answers.get(name, "").strip()
    ]
    if wrong:
        raise Invalid(*wrong)
    return dict(answers)


def labels(tx: Transaction, portal_id: str) -> dict[str, str]:
    """Give what people read for each field's name."""
    return {field.name: field.label for field in tx.session.scalars(fields_in(tx, portal_id))}
