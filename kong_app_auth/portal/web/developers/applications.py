"""`/applications`: the own applications and those of the teams, one of them with all that belongs to it."""

from typing import Any

import msgspec
from fastapi import Response
from sqlalchemy.orm import joinedload, undefer

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.contract.applications import CreateOwnApplication, UpdateOwnApplication
from kong_app_auth.portal.errors import Conflict, Forbidden, Invalid, Unavailable
from kong_app_auth.portal.services import applications, dcr_credentials, ownership, registrations, strategies
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store.apis import Api
from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.portal.store.strategies import AuthStrategy
from kong_app_auth.portal.store.teams import Team
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.views.applications import own_application_view
from kong_app_auth.portal.views.strategies import credential_type, portal_strategy_view, shown_name
from kong_app_auth.portal.web.developers import clients, keys
from kong_app_auth.portal.web.forms import DeveloperForm, Form, checked, errors_of
from kong_app_auth.portal.web.paging import page_of
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.sessions import Developer, PageAccess
from kong_app_auth.portal.web.sites import site_of

routes = router("/applications", "Pages")

KINDS = {
    "key_auth": "API keys",
    "client_credentials": "OAuth, with a client that this portal makes",
    "self_managed_client_credentials": "OAuth, with a client that you make",
}
MOST = 100


class Registered(msgspec.Struct, frozen=True):
    """A registration as its owner sees it."""

    id: str
    status: str
    api_name: str
    api_slug: str
    reason: str | None
    answers: list[tuple[str, str]]


@routes.get("", response_class=Response)
def list_applications(access: Developer) -> Response:
    """All applications that the developer can reach."""
    query = page_of(access.request, Application.name, Application.id)
    with access.read() as tx:
        statement = ownership.applications_of(access.portal.id, access.developer_id)
        options = (joinedload(Application.auth_strategy), undefer(Application.registration_count))
        found, total = query.records(tx, statement.options(*options))
        teams = _teams(tx, access)
        shown = [
            {
                "id": one.id,
                "name": one.name,
                "description": one.description,
                "strategy": shown_name(one.auth_strategy),
                "team": None if one.team_id is None else teams.get(one.team_id),
                "registrations": one.registration_count,
            }
            for one in found
        ]
        page = query.written(shown, total).meta.page
    return render(access, site_of(access), "developers/applications.html", applications=shown, page=page)


@routes.get("/new", response_class=Response)
def show_new(access: Developer) -> Response:
    """Ask what the new application is."""
    return _new(access, Form())


@routes.post("/new", response_class=Response)
def create(access: Developer, form: DeveloperForm) -> Response:
    """Make an application."""
    values: dict[str, Any] = {"name": form.text("name"), "description": form.optional("description")}
    values |= {name: form.text(name) for name in ("client_id", "team_id", "auth_strategy_id") if form.optional(name)}
    try:
        wanted = checked(CreateOwnApplication, values)
        made = clients.make_application(access, form, wanted)
    except (Invalid, Conflict, Forbidden, Unavailable) as wrong:
        return _new(access, form, 422, errors_of(wrong))
    if made is None:
        return see_other(access.request, "/applications", "already")
    if made.client_secret is not None:
        return clients.secret_page(access, made.id, made.client_secret)
    return see_other(access.request, f"/applications/{made.id}", "created")


@routes.get("/{application_id}", response_class=Response)
def show(access: Developer, application_id: str) -> Response:
    """One application: its registrations, its keys or its client."""
    return application_page(access, application_id)


@routes.get("/{application_id}/edit", response_class=Response)
def show_edit(access: Developer, application_id: str) -> Response:
    """Ask what is to be changed."""
    with access.read() as tx:
        one = ownership.application_of(tx, access.portal.id, access.developer_id, application_id)
        values = {"name": one.name, "description": one.description or "", "client_id": one.client_id or ""}
        values["team_id"] = one.team_id or ""
    return _edit(access, application_id, Form({name: [value] for name, value in values.items()}))


@routes.post("/{application_id}/edit", response_class=Response)
def edit(access: Developer, application_id: str, form: DeveloperForm) -> Response:
    """Change an application."""
    values: dict[str, Any] = {"name": form.text("name"), "description": form.text("description")}
    if "client_id" in form:
        values["client_id"] = form.text("client_id")
    if "team_id" in form:
        values["team_id"] = form.optional("team_id")
    try:
        wanted = checked(UpdateOwnApplication, values)
        with access.write() as tx:
            applications.update_own(tx, access.portal.id, access.developer_id, application_id, wanted)
    except (Invalid, Conflict, Forbidden) as wrong:
        return _edit(access, application_id, form, 422, errors_of(wrong))
    return see_other(access.request, f"/applications/{application_id}", "saved")


@routes.post("/{application_id}/delete", response_class=Response)
def delete(access: Developer, application_id: str, form: DeveloperForm) -> Response:  # noqa: ARG001  it is ours
    """Delete an application with its registrations and keys."""
    with access.write() as tx:
        applications.delete(tx, ownership.application_of(tx, access.portal.id, access.developer_id, application_id))
    return see_other(access.request, "/applications", "deleted")


@routes.post("/{application_id}/registrations/{registration_id}/withdraw", response_class=Response)
def withdraw(access: Developer, application_id: str, registration_id: str, form: DeveloperForm) -> Response:  # noqa: ARG001
    """Take a registration back."""
    try:
        with access.write() as tx:
            application = ownership.application_of(tx, access.portal.id, access.developer_id, application_id)
            registrations.delete_own(tx, application, registration_id)
    except Forbidden as wrong:
        return application_page(access, application_id, 403, errors_of(wrong))
    return see_other(access.request, f"/applications/{application_id}", "withdrawn")


def application_page(
    access: PageAccess,
    application_id: str,
    status: int = 200,
    errors: dict[str, str] | None = None,
    **more: Any,
) -> Response:
    """Show an application; `more`: what a form of it has to say."""
    with access.read() as tx:
        one = ownership.application_of(tx, access.portal.id, access.developer_id, application_id)
        registered = _registered(tx, one)
        source = keys.callable_api(tx, one)[1]
        is_keyed = one.auth_strategy.strategy_type == "key_auth"
        context: dict[str, Any] = {
            "application": own_application_view(one),
            "kind": KINDS[credential_type(one.auth_strategy)],
            "owner": _teams(tx, access).get(one.team_id or ""),
            "registrations": registered,
            "live": any(one.status == registrations.PENDING for one in registered),
            "keys": keys.keys_of(tx, one) if is_keyed else None,
            "most": access.plane.configuration.max_credentials,
            "issuer": None if is_keyed else one.auth_strategy.config.get("issuer"),
            "secrets": keys.secrets_of(tx, one) if dcr_credentials.has_client(one) else None,
            "scopes": [] if is_keyed else list(one.auth_strategy.config.get("scopes") or ()),
        }
    client_id: str = context["application"].client_id
    context["client"] = (
        None if is_keyed else keys.client_help(access, context["issuer"], client_id, context["scopes"], source)
    )
    context |= {"new_key_name": "", "errors": errors or {}, **more}
    return render(access, site_of(access), "developers/application.html", status, **context)


def _registered(tx: Transaction, application: Application) -> list[Registered]:
    found = tx.session.scalars(registrations.registrations_of(application).order_by(Api.name, Registration.id)).all()
    return [
        Registered(
            one.id,
            one.status,
            f"{one.api.name} {one.api.version or ''}".strip(),
            one.api.slug,
            one.reason,
            [(name.replace("_", " "), str(value)) for name, value in one.fields.items() if value],
        )
        for one in found
    ]


def _teams(tx: Transaction, access: PageAccess) -> dict[str, str]:
    found = tx.session.scalars(ownership.teams_that_own(access.developer_id).order_by(Team.name)).all()
    return {one.id: one.name for one in found if one.portal_id == access.portal.id}


def _new(access: PageAccess, form: Form, status: int = 200, errors: dict[str, str] | None = None) -> Response:
    with access.read() as tx:
        portal = the_portal(tx, access.portal.id)
        usable = strategies.usable_by(tx, portal, access.developer_id).order_by(AuthStrategy.display_name)
        found = {one.id: one for one in tx.session.scalars(usable.limit(MOST))}
        default = portal.default_application_auth_strategy_id
        if default is not None and default not in found:
            known = tx.find(AuthStrategy, default)
            if known is not None:
                found[known.id] = known
        choices = [
            {"value": one.id, "label": shown_name(one), "hint": KINDS[credential_type(one)], "disabled": False}
            for one in found.values()
        ]
        self_managed = any(portal_strategy_view(one).credential_type.startswith("self") for one in found.values())
        teams = list(_teams(tx, access).items())
    chosen = form.text("auth_strategy_id") or (default if default in found else next(iter(found), ""))
    return render(
        access,
        site_of(access),
        "developers/application_new.html",
        status,
        form=form,
        errors=errors or {},
        choices=choices,
        chosen=chosen,
        self_managed=self_managed,
        teams=teams,
    )


def _edit(
    access: PageAccess, application_id: str, form: Form, status: int = 200, errors: dict[str, str] | None = None
) -> Response:
    with access.read() as tx:
        one = ownership.application_of(tx, access.portal.id, access.developer_id, application_id)
        teams = list(_teams(tx, access).items())
        context: dict[str, Any] = {
            "application": own_application_view(one),
            "with_client": credential_type(one.auth_strategy) == "self_managed_client_credentials",
            "teams": teams,
        }
    return render(
        access,
        site_of(access),
        "developers/application_edit.html",
        status,
        form=form,
        errors=errors or {},
        **context,
    )
