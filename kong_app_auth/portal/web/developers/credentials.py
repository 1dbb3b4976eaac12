"""`/applications/{id}/credentials`: keys are made and shown once, renewed with an overlap, renamed and deleted."""

from fastapi import Response

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.contract.credentials import (
    MAX_OVERLAP_SECONDS,
    CreateCredential,
    RotateCredential,
    UpdateCredential,
)
from kong_app_auth.portal.errors import Conflict, Forbidden, Invalid, Refused, Unavailable, invalid
from kong_app_auth.portal.services import credentials, dcr_credentials, ownership
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.credentials import Credential
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.web.developers import clients
from kong_app_auth.portal.web.developers.applications import application_page
from kong_app_auth.portal.web.developers.keys import call_with_key, callable_api
from kong_app_auth.portal.web.forms import DeveloperForm, Form, checked, errors_of, first_time, once_of
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.sessions import Developer, PageAccess
from kong_app_auth.portal.web.shown_once import Secret, ShownOnce
from kong_app_auth.portal.web.sites import site_of

routes = router("/applications/{application_id}/credentials", "Pages")

_HOUR = 3600
OVERLAPS = (
    (0, "End the old key at once"),
    (_HOUR, "Both keys are good for 1 hour"),
    (24 * _HOUR, "Both keys are good for 1 day"),
    (7 * 24 * _HOUR, "Both keys are good for 7 days"),
    (MAX_OVERLAP_SECONDS, "Both keys are good for 30 days"),
)
DEFAULT_OVERLAP = 24 * _HOUR


@routes.post("", response_class=Response)
def create(access: Developer, application_id: str, form: DeveloperForm) -> Response:
    """Make a key. The answer shows it, and no other page does."""
    try:
        wanted = checked(CreateCredential, {"display_name": form.optional("display_name")})
        with access.read() as tx:
            has_client = dcr_credentials.has_client(_application(tx, access, application_id))
        if has_client:
            return clients.add_secret(access, application_id, form, wanted.display_name)
        with access.write() as tx:
            application = _application(tx, access, application_id)
            if first_time(tx, access, form):
                _keep(access, form, credentials.create(tx, application, wanted))
    except (Invalid, Forbidden, Conflict, Unavailable) as wrong:
        return application_page(access, application_id, 422, errors_of(wrong), new_key_name=form.text("display_name"))
    return _shown(access, application_id, form)


@routes.get("/{credential_id}/rotate", response_class=Response)
def show_rotate(access: Developer, application_id: str, credential_id: str) -> Response:
    """Ask how long both keys shall be good."""
    return _rotate(access, application_id, credential_id, Form())


@routes.post("/{credential_id}/rotate", response_class=Response)
def rotate(access: Developer, application_id: str, credential_id: str, form: DeveloperForm) -> Response:
    """Make the successor of a key."""
    try:
        values = {
            "overlap_seconds": form.whole_number("overlap_seconds"),
            "display_name": form.optional("display_name"),
        }
        wanted = checked(RotateCredential, values)
        with access.write() as tx:
            application = _application(tx, access, application_id)
            if first_time(tx, access, form):
                _keep(access, form, credentials.rotate(tx, application, credential_id, wanted))
    except (Invalid, Forbidden, Conflict) as wrong:
        return _rotate(access, application_id, credential_id, form, wrong)
    return _shown(access, application_id, form)


@routes.get("/{credential_id}/rename", response_class=Response)
def show_rename(access: Developer, application_id: str, credential_id: str) -> Response:
    """Ask for another name."""
    return _rename(access, application_id, credential_id)


@routes.post("/{credential_id}/rename", response_class=Response)
def rename(access: Developer, application_id: str, credential_id: str, form: DeveloperForm) -> Response:
    """Give a key another name."""
    try:
        wanted = checked(UpdateCredential, {"display_name": form.text("display_name")})
        with access.write() as tx:
            application = _application(tx, access, application_id)
            if dcr_credentials.has_client(application):
                dcr_credentials.rename(tx, application, credential_id, wanted.display_name)
            else:
                credentials.rename(tx, application, credential_id, wanted)
    except Invalid as wrong:
        return _rename(access, application_id, credential_id, form.text("display_name"), wrong)
    return see_other(access.request, f"/applications/{application_id}", "renamed")


@routes.post("/{credential_id}/delete", response_class=Response)
def delete(access: Developer, application_id: str, credential_id: str, form: DeveloperForm) -> Response:  # noqa: ARG001
    """Delete a key: gateways refuse it within a second."""
    with access.write() as tx:
        application = _application(tx, access, application_id)
        if dcr_credentials.has_client(application):
            dcr_credentials.remove(tx, application, credential_id)
        else:
            credentials.remove(tx, application, credential_id)
    return see_other(access.request, f"/applications/{application_id}", "key-deleted")


def _application(tx: Transaction, access: PageAccess, application_id: str) -> Application:
    return ownership.application_of(tx, access.portal.id, access.developer_id, application_id)


def _keep(access: PageAccess, form: Form, made: tuple[Credential, str]) -> None:
    # Before the commit: who sends the form a second time waits for the commit, and must find the key then.
    memory: ShownOnce = access.request.app.state.shown_once
    memory.put(once_of(access, form), Secret(made[0].id, made[1], made[0].display_name))


def _shown(access: PageAccess, application_id: str, form: Form) -> Response:
    """Show what the form has made, to the one who sent it; it may have been sent twice."""
    memory: ShownOnce = access.request.app.state.shown_once
    secret = memory.get(once_of(access, form))
    with access.read() as tx:
        application = _application(tx, access, application_id)
        name = application.name
        key_names: list[str] = list(application.auth_strategy.config.get("key_names") or ())
        there = secret is not None and tx.session.get(Credential, secret.record_id) is not None
        registered, source = callable_api(tx, application)
    if secret is None or not there:
        return see_other(access.request, f"/applications/{application_id}", "key-made-before")
    return render(
        access,
        site_of(access),
        "developers/key.html",
        application_id=application_id,
        application_name=name,
        key_name=secret.more,
        key=secret.text,
        curl=call_with_key(access, source, key_names, secret.text),
        registered=registered,
    )


def _one(access: PageAccess, application_id: str, credential_id: str) -> tuple[str, str, bool]:
    """The names of an application and of its key, and whether the key is active. Raises NotFound."""
    with access.read() as tx:
        application = _application(tx, access, application_id)
        if dcr_credentials.has_client(application):
            return application.name, _name_of_secret(tx, application, credential_id), False
        credential = credentials.the_credential(tx, application, credential_id)
        return application.name, credential.display_name, credentials.status(credential, tx.now) == "active"


def _name_of_secret(tx: Transaction, application: Application, secret_id: str) -> str:
    return dcr_credentials.the_secret(tx, application, secret_id).display_name or dcr_credentials.DEFAULT_NAME


def _rotate(
    access: PageAccess, application_id: str, credential_id: str, form: Form, wrong: Refused | None = None
) -> Response:
    application_name, name, active = _one(access, application_id, credential_id)
    if not active and wrong is None:
        wrong = invalid("", "is not active any more, so there is nothing to rotate: make a new key instead")
    return render(
        access,
        site_of(access),
        "developers/key_rotate.html",
        200 if wrong is None else 422,
        application_id=application_id,
        application_name=application_name,
        credential_id=credential_id,
        name=name,
        active=active,
        overlaps=[
            {"value": str(seconds), "label": label, "hint": "", "disabled": False} for seconds, label in OVERLAPS
        ],
        chosen=form.text("overlap_seconds") or str(DEFAULT_OVERLAP),
        new_name=form.text("display_name") or name,
        errors={} if wrong is None else errors_of(wrong),
    )


def _rename(
    access: PageAccess, application_id: str, credential_id: str, typed: str | None = None, wrong: Invalid | None = None
) -> Response:
    application_name, name, _ = _one(access, application_id, credential_id)
    return render(
        access,
        site_of(access),
        "developers/key_rename.html",
        200 if wrong is None else 422,
        application_id=application_id,
        application_name=application_name,
        credential_id=credential_id,
        name=name,
        typed=name if typed is None else typed,
        errors={} if wrong is None else errors_of(wrong),
    )
