"""`/apis/{api}/access`: an application and its registration, in one form."""

from typing import Any

import msgspec
from fastapi import Response
from sqlalchemy.orm import joinedload

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.contract.applications import CreateOwnApplication
from kong_app_auth.portal.contract.registrations import CreateOwnRegistration
from kong_app_auth.portal.errors import Conflict, Forbidden, Invalid, Refused, Unavailable, invalid
from kong_app_auth.portal.services import catalogue, ownership, registration_fields, registrations
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store.applications import Application, RegistrationField
from kong_app_auth.portal.store.strategies import AuthStrategy
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.views.catalogue import catalogue_api
from kong_app_auth.portal.views.strategies import credential_type, portal_strategy_view, shown_name
from kong_app_auth.portal.web.developers import clients
from kong_app_auth.portal.web.forms import DeveloperForm, Form, checked, errors_of, first_time
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.sessions import Developer, PageAccess
from kong_app_auth.portal.web.sites import site_of

routes = router("/apis/{api}/access", "Pages")

NEW = "new"
MOST = 100
"""Applications that are shown to choose from; with more, one begins on the application's own page."""
_KINDS = {
    "key_auth": "API keys",
    "client_credentials": "OAuth clients made by this portal",
    "self_managed_client_credentials": "OAuth clients that you make yourself",
}


_FLASHES = {registrations.APPROVED: "registered", registrations.PENDING: "asked"}


class Choice(msgspec.Struct, frozen=True):
    """An application to choose, or not: then `hint` says why."""

    value: str
    label: str
    hint: str
    disabled: bool


@routes.get("", response_class=Response)
def show_access(access: Developer, api: str, application: str = "") -> Response:
    """Ask with which application; `application`: the one to begin with."""
    return _page(access, api, Form({"application": [application]} if application else {}))


@routes.post("", response_class=Response)
def get_access(access: Developer, api: str, form: DeveloperForm) -> Response:
    """Make the application, if it is a new one, and register it with the API."""
    made: clients.Made | None = None
    answers = {name[7:]: form.text(name) for name, _ in form.kept() if name.startswith("fields.")}
    try:
        with access.read() as tx:
            found = catalogue.the_api(tx, access.portal, access.developer_id, api)
            registration_fields.checked_answers(tx, the_portal(tx, access.portal.id), answers)
            strategy = found.publications[0].auth_strategy
            strategy_id = None if strategy is None else strategy.id
        wanted = checked(CreateOwnRegistration, {"api_id": found.id, "fields": answers})
        application_id = form.text("application")
        if not application_id:
            raise invalid("application", "is needed: choose an application, or a new one")
        if application_id == NEW:
            made = clients.make_application(access, form, _new(form, strategy_id))
            if made is None:
                return see_other(access.request, "/applications", "already")
    except (Invalid, Conflict, Forbidden, Unavailable) as wrong:
        return _page(access, api, form, 422, _errors(wrong))
    application_id = application_id if made is None else made.id
    try:
        with access.write() as tx:
            if made is None and not first_time(tx, access, form):
                return see_other(access.request, f"/applications/{application_id}", "already")
            application = ownership.application_of(tx, access.portal.id, access.developer_id, application_id)
            flash = _FLASHES[registrations.create_own(tx, application, access.developer_id, wanted).status]
    except (Invalid, Conflict, Forbidden) as wrong:
        if made is None or not isinstance(wrong, Conflict):
            return _page(access, api, form, 422, _errors(wrong))
        flash = "already"  # the form was sent twice, and the first one has registered the application
    if made is not None and made.client_secret is not None:
        return clients.secret_page(access, made.id, made.client_secret)
    return see_other(access.request, f"/applications/{application_id}", flash)


def _new(form: Form, strategy_id: str | None) -> CreateOwnApplication:
    values: dict[str, Any] = {"name": form.text("name"), "auth_strategy_id": strategy_id}
    if form.optional("client_id"):
        values["client_id"] = form.text("client_id")
    if form.optional("team_id"):
        values["team_id"] = form.text("team_id")
    return checked(CreateOwnApplication, values)


def _errors(wrong: Refused) -> dict[str, str]:
    told = errors_of(wrong)
    return {("application" if name in ("auth_strategy_id", "api_id") else name): text for name, text in told.items()}


def _page(
    access: PageAccess, api: str, form: Form, status: int = 200, errors: dict[str, str] | None = None
) -> Response:
    with access.read() as tx:
        found = catalogue.the_api(tx, access.portal, access.developer_id, api)
        strategy = found.publications[0].auth_strategy
        may = catalogue.may_register(tx, access.portal, access.developer_id, found)
        choices = [] if strategy is None or not may else _choices(tx, access, found.id, strategy)
        asked = _asked(tx, access)
        teams = tx.session.scalars(ownership.teams_that_own(access.developer_id)).all()
        portal = the_portal(tx, access.portal.id)
        at_once = portal.auto_approve_applications or found.publications[0].auto_approve_registrations
        context: dict[str, Any] = {
            "api": catalogue_api(found),
            "strategy": None if strategy is None else portal_strategy_view(strategy),
            "kind": None if strategy is None else _KINDS[credential_type(strategy)],
            "may": may,
            "choices": choices,
            "chosen": form.text("application") or _first(choices),
            "asked": [(one.name, one.label, one.description, one.required) for one in asked],
            "teams": [(one.id, one.name) for one in teams if one.portal_id == portal.id],
            "at_once": at_once,
            "form": form,
            "errors": errors or {},
        }
    return render(access, site_of(access), "developers/access.html", status, **context)


def _asked(tx: Transaction, access: PageAccess) -> list[RegistrationField]:
    asked = registration_fields.fields_in(tx, access.portal.id)
    return list(tx.session.scalars(asked.order_by(RegistrationField.created_at, RegistrationField.id)))


def _first(choices: list[Choice]) -> str:
    return next((one.value for one in choices if not one.disabled), NEW)


def _choices(tx: Transaction, access: PageAccess, api_id: str, strategy: AuthStrategy) -> list[Choice]:
    statement = ownership.applications_of(access.portal.id, access.developer_id)
    ordered = statement.order_by(Application.name, Application.id).options(joinedload(Application.auth_strategy))
    found = tx.session.scalars(ordered.limit(MOST)).all()
    known = catalogue.registrations(tx, found, api_id)
    choices: list[Choice] = []
    for one in found:
        registration = known.get(one.id)
        if registration is not None:
            hint = f"It is registered with this API already: {registration.status}."
        elif one.auth_strategy_id != strategy.id:
            hint = (
                f"Its auth strategy is {shown_name(one.auth_strategy)}, and this API takes {shown_name(strategy)}. "
                "An application keeps its strategy: take another application, or a new one."
            )
        else:
            hint = ""
        choices.append(Choice(one.id, one.name, hint, bool(hint)))
    return sorted(choices, key=lambda choice: choice.disabled)
