"""`/operator/portals`: the places where developers find APIs, with their settings."""

from typing import Any, Final

from fastapi import Request, Response
from sqlalchemy.orm import joinedload

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.contract.portals import CreatePortal, UpdatePortal
from kong_app_auth.portal.mail.links import portal_url
from kong_app_auth.portal.services import (
    authentication_settings,
    portal_figures,
    portals,
    publications,
    registration_fields,
    strategies,
)
from kong_app_auth.portal.store.apis import Publication
from kong_app_auth.portal.store.applications import RegistrationField
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.store.strategies import AuthStrategy
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.web.forms import Form, OperatorForm, checked, errors_of, first_time
from kong_app_auth.portal.web.operators.asking import Question, ask
from kong_app_auth.portal.web.operators.lines import by_field, changed, labels_of, written_labels
from kong_app_auth.portal.web.operators.lists import asked, holds, listed
from kong_app_auth.portal.web.operators.portal_effects import SWITCHES, effects
from kong_app_auth.portal.web.operators.saying_first import say_first
from kong_app_auth.portal.web.operators.wrong import WRONG
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.sessions import OperatorReader, OperatorWriter
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import words

routes = router("/operator/portals", "Pages")

_TEXTS: Final = ("name", "display_name", "description")
_STRATEGY: Final = "default_application_auth_strategy_id"
_BUILT_IN: Final = "built-in"
"""In place of an id: the region's own strategy, which a portal has where nothing is said."""
_CHOICES: Final = ("default_api_visibility", _STRATEGY)
_SHOWN: Final = 100
"""Publications on a portal's page."""
_FIELDS: Final = (*_TEXTS, *_CHOICES, *SWITCHES, "labels")


@routes.get("", response_class=Response)
def list_portals(access: OperatorReader, request: Request) -> Response:
    """All portals of the region, and how much there is in each."""
    given = asked(request, "q")
    with access.read() as tx:
        statement = portals.all_portals(tx)
        if given["q"]:
            statement = statement.where(holds(given["q"], Portal.name, Portal.display_name, Portal.canonical_domain))
        found = listed(request, tx, statement, Portal.name, Portal.id, narrowed=given)
        figures = portal_figures.of_portals(tx, [one.id for one in found.rows])
    return render(access, site_of(access), "operators/portals.html", found=found, figures=figures, q=given["q"])


@routes.get("/new", response_class=Response)
def show_new(access: OperatorWriter) -> Response:
    """Ask what it is."""
    given = {"authentication_enabled": "true", "default_api_visibility": "private", _STRATEGY: _BUILT_IN}
    return _form(access, None, Form({name: [value] for name, value in given.items()}), {})


@routes.post("/new", response_class=Response)
def create(access: OperatorWriter, form: OperatorForm) -> Response:
    """Make it."""
    try:
        values = _settings(form) | {"labels": labels_of(form.text("labels"))}
        if not values["display_name"]:
            del values["display_name"]
        if values[_STRATEGY] == _BUILT_IN:
            del values[_STRATEGY]
        wanted = checked(CreatePortal, values)
        with access.write() as tx:
            if not first_time(tx, access, form):
                return see_other(access.request, "/operator/portals", "already")
            portal_id = portals.create(tx, wanted).id
    except WRONG as wrong:
        return _form(access, None, form, by_field(errors_of(wrong), _FIELDS), 422)
    return see_other(access.request, f"/operator/portals/{portal_id}", "created")


@routes.get("/{portal_id}", response_class=Response)
def show(access: OperatorReader, portal_id: str) -> Response:
    """A portal: where it is, what is in it, and how it is set."""
    with access.read() as tx:
        portal = portals.the_portal(tx, portal_id)
        figures = portal_figures.of_portals(tx, [portal.id])[portal.id]
        statement = publications.all_publications(tx).where(Publication.portal_id == portal.id)
        statement = statement.options(joinedload(Publication.api), joinedload(Publication.auth_strategy))
        published = tx.session.scalars(statement.order_by(Publication.created_at).limit(_SHOWN)).unique().all()
        names = {one.id: one.auth_strategy.name for one in published if one.auth_strategy is not None}
        asked_for = registration_fields.fields_in(tx, portal.id).order_by(RegistrationField.created_at)
        fields = tx.session.scalars(asked_for).all()
        provider = authentication_settings.oidc_provider(tx, portal)
        settings = portal.authentication
        strategy_id = portal.default_application_auth_strategy_id
        strategy = None if strategy_id is None else strategies.the_strategy(tx, strategy_id)
    return render(
        access,
        site_of(access),
        "operators/portal.html",
        portal=portal,
        address=portal_url(access.plane.configuration, portal),
        figures=figures,
        published=published,
        names=names,
        fields=fields,
        provider=provider,
        settings=settings,
        strategy=strategy,
    )


@routes.get("/{portal_id}/edit", response_class=Response)
def show_edit(access: OperatorWriter, portal_id: str) -> Response:
    """Show what can be changed."""
    with access.read() as tx:
        portal = portals.the_portal(tx, portal_id)
    given = {name: [getattr(portal, name) or ""] for name in (*_TEXTS, *_CHOICES)}
    given |= {name: ["true"] for name in SWITCHES if getattr(portal, name)}
    return _form(access, portal, Form(given | {"labels": [written_labels(portal.labels)]}), {})


@routes.post("/{portal_id}/edit", response_class=Response)
def edit(access: OperatorWriter, form: OperatorForm, portal_id: str) -> Response:
    """Change it. What makes a difference to security is said in words first, and saved only when that was read."""
    step = form.text("step")
    with access.read() as tx:
        portal = portals.the_portal(tx, portal_id)
    if step == "again":
        return _form(access, portal, form, {})
    try:
        values = _settings(form)
        labels = changed(portal.labels, labels_of(form.text("labels")))
        wanted = checked(UpdatePortal, values | {"labels": labels})
        if step != "save":
            with access.read() as tx:
                figures = portal_figures.of_portals(tx, [portal.id])[portal.id]
                told = effects(portal, values, figures, dict(_strategies(tx)))
            if told:
                return say_first(access, portal, form, told, "/edit")
        with access.write() as tx:
            portals.update(tx, portal_id, wanted)
    except WRONG as wrong:
        return _form(access, portal, form, by_field(errors_of(wrong), _FIELDS), 422)
    return see_other(access.request, f"/operator/portals/{portal_id}", "saved")


@routes.get("/{portal_id}/delete", response_class=Response)
def ask_to_delete(access: OperatorWriter, portal_id: str) -> Response:
    """Ask before it is deleted."""
    with access.read() as tx:
        portal = portals.the_portal(tx, portal_id)
        figures = portal_figures.of_portals(tx, [portal.id])[portal.id]
    effect = words(
        "With it go its developers (%(developers)s), its applications (%(applications)s) with their keys, clients and "
        "registrations, and its publications of APIs (%(apis)s). The gateway refuses all of them within a second. It "
        "cannot be undone.",
        developers=figures.developers,
        applications=figures.applications,
        apis=figures.apis,
    )
    back = f"/operator/portals/{portal_id}"
    question = Question(
        title=words("Delete this portal?"), name=portal.name, effect=effect, yes=words("Yes, delete it"), back=back
    )
    return ask(access, question)


@routes.post("/{portal_id}/delete", response_class=Response)
def delete(access: OperatorWriter, form: OperatorForm, portal_id: str) -> Response:  # noqa: ARG001  it is ours
    """Delete it with all that is in it: the question has said so."""
    with access.write() as tx:
        portals.delete(tx, portal_id, force=True)
    return see_other(access.request, "/operator/portals", "service-opened" if tx.warnings else "deleted")


def _settings(form: Form) -> dict[str, Any]:
    return {
        "name": form.text("name"),
        "display_name": form.text("display_name"),
        "description": form.optional("description"),
        "default_api_visibility": form.text("default_api_visibility"),
        _STRATEGY: form.optional(_STRATEGY),
        **{name: form.flag(name) for name in SWITCHES},
    }


def _strategies(tx: Transaction) -> list[tuple[str, str]]:
    known = tx.session.scalars(strategies.all_strategies(tx).order_by(AuthStrategy.name))
    return [(one.id, one.name) for one in known]


def _form(
    access: OperatorWriter, portal: Portal | None, form: Form, errors: dict[str, str], status: int = 200
) -> Response:
    with access.read() as tx:
        known = _strategies(tx)
    return render(
        access,
        site_of(access),
        "operators/portal_form.html",
        status,
        portal=portal,
        form=form,
        errors=errors,
        strategies=known,
    )
