"""`/operator/portals/{id}/registration-fields`: what applicants are asked when they register an application."""

from fastapi import Response

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.contract.registration_fields import CreateRegistrationField, UpdateRegistrationField
from kong_app_auth.portal.services import registration_fields
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store.applications import RegistrationField
from kong_app_auth.portal.web.forms import Form, OperatorForm, checked, errors_of, first_time
from kong_app_auth.portal.web.operators.asking import Question, ask
from kong_app_auth.portal.web.operators.wrong import WRONG
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.sessions import OperatorReader, OperatorWriter
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import words

routes = router("/operator/portals/{portal_id}/registration-fields", "Pages")


@routes.get("", response_class=Response)
def show(access: OperatorReader, portal_id: str) -> Response:
    """All that is asked."""
    with access.read() as tx:
        portal = the_portal(tx, portal_id)
        asked = registration_fields.fields_in(tx, portal_id).order_by(RegistrationField.created_at)
        fields = tx.session.scalars(asked).all()
    return render(access, site_of(access), "operators/registration_fields.html", portal=portal, fields=fields)


@routes.get("/new", response_class=Response)
def show_new(access: OperatorWriter, portal_id: str) -> Response:
    """Ask for the question."""
    return _form(access, portal_id, None, Form(), {})


@routes.post("/new", response_class=Response)
def create(access: OperatorWriter, form: OperatorForm, portal_id: str) -> Response:
    """Ask for one more thing."""
    try:
        wanted = checked(CreateRegistrationField, {"name": form.text("name"), **_values(form)})
        with access.write() as tx:
            if not first_time(tx, access, form):
                return see_other(access.request, f"/operator/portals/{portal_id}/registration-fields", "already")
            registration_fields.create(tx, portal_id, wanted)
    except WRONG as wrong:
        return _form(access, portal_id, None, form, errors_of(wrong, field="name"))
    return see_other(access.request, f"/operator/portals/{portal_id}/registration-fields", "saved")


@routes.get("/{field_id}/edit", response_class=Response)
def show_edit(access: OperatorWriter, portal_id: str, field_id: str) -> Response:
    """Show what can be changed."""
    with access.read() as tx:
        field = registration_fields.the_field(tx, portal_id, field_id)
    given = {"label": [field.label], "description": [field.description or ""]}
    return _form(access, portal_id, field, Form(given | ({"required": ["true"]} if field.required else {})), {})


@routes.post("/{field_id}/edit", response_class=Response)
def edit(access: OperatorWriter, form: OperatorForm, portal_id: str, field_id: str) -> Response:
    """Change it, from the next registration on."""
    try:
        wanted = checked(UpdateRegistrationField, _values(form))
        with access.write() as tx:
            registration_fields.update(tx, portal_id, field_id, wanted)
    except WRONG as wrong:
        with access.read() as tx:
            field = registration_fields.the_field(tx, portal_id, field_id)
        return _form(access, portal_id, field, form, errors_of(wrong))
    return see_other(access.request, f"/operator/portals/{portal_id}/registration-fields", "saved")


@routes.get("/{field_id}/delete", response_class=Response)
def ask_to_delete(access: OperatorWriter, portal_id: str, field_id: str) -> Response:
    """Ask before it is asked no more."""
    with access.read() as tx:
        name = registration_fields.the_field(tx, portal_id, field_id).label
    effect = words("New applicants are not asked it any more. Answers that were given stay with their registrations.")
    back = f"/operator/portals/{portal_id}/registration-fields"
    question = Question(
        title=words("Ask this no more?"), name=name, effect=effect, yes=words("Yes, ask it no more"), back=back
    )
    return ask(access, question)


@routes.post("/{field_id}/delete", response_class=Response)
def delete(access: OperatorWriter, form: OperatorForm, portal_id: str, field_id: str) -> Response:  # noqa: ARG001
    """Ask for it no more."""
    with access.write() as tx:
        registration_fields.delete(tx, portal_id, field_id)
    return see_other(access.request, f"/operator/portals/{portal_id}/registration-fields", "deleted")


def _values(form: Form) -> dict[str, object]:
    return {
        "label": form.text("label"),
        "description": form.optional("description"),
        "required": form.flag("required"),
    }


def _form(
    access: OperatorWriter, portal_id: str, field: RegistrationField | None, form: Form, errors: dict[str, str]
) -> Response:
    with access.read() as tx:
        portal = the_portal(tx, portal_id)
    return render(
        access,
        site_of(access),
        "operators/registration_field_form.html",
        422 if errors else 200,
        portal=portal,
        known=field,
        form=form,
        errors=errors,
    )
