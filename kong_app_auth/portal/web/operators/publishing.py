"""`/operator/apis/{id}/…`: an API published in portals, linked to a Gateway Service, and given its specification."""

import uuid
from typing import Any

from fastapi import Response
from sqlalchemy import func, select

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.contract.implementations import CreateImplementation
from kong_app_auth.portal.contract.publications import PutPublication
from kong_app_auth.portal.contract.specifications import CreateSpecification
from kong_app_auth.portal.errors import NotFound
from kong_app_auth.portal.services import apis, implementations, publications, specifications, strategies
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store.apis import ApiSpecification, Implementation
from kong_app_auth.portal.store.applications import Registration
from kong_app_auth.portal.store.strategies import AuthStrategy
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.web.forms import Form, OperatorForm, checked, errors_of
from kong_app_auth.portal.web.operators.asking import Question, ask
from kong_app_auth.portal.web.operators.wrong import WRONG
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.sessions import OperatorReader, OperatorWriter
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import words

routes = router("/operator/apis/{api_id}", "Pages")


@routes.get("/publications/{portal_id}", response_class=Response)
def show_publication(access: OperatorWriter, api_id: str, portal_id: str) -> Response:
    """Ask how it is published in a portal; new, or as it is."""
    with access.read() as tx:
        portal = the_portal(tx, portal_id)
        try:
            known = publications.the_publication(tx, api_id, portal_id)
            strategy, visibility = known.auth_strategy_id, known.visibility
            automatic = known.auto_approve_registrations
        except NotFound:
            strategy, visibility = portal.default_application_auth_strategy_id, portal.default_api_visibility
            automatic = False
    given = {"auth_strategy_id": [strategy or ""], "visibility": [visibility]}
    if automatic:
        given["auto_approve_registrations"] = ["true"]
    return _publication(access, api_id, portal_id, Form(given), {})


@routes.post("/publications/{portal_id}", response_class=Response)
def publish(access: OperatorWriter, form: OperatorForm, api_id: str, portal_id: str) -> Response:
    """Publish it, or say anew how it is published."""
    strategy = form.optional("auth_strategy_id")
    values: dict[str, Any] = {
        "auth_strategy_ids": None if strategy is None else [strategy],
        "visibility": form.text("visibility"),
        "auto_approve_registrations": form.flag("auto_approve_registrations"),
    }
    try:
        with access.write() as tx:
            publications.publish(tx, api_id, portal_id, checked(PutPublication, values))
    except WRONG as wrong:
        return _publication(access, api_id, portal_id, form, errors_of(wrong), status=422)
    return see_other(access.request, f"/operator/apis/{api_id}", "service-opened" if tx.warnings else "published")


@routes.get("/publications/{portal_id}/delete", response_class=Response)
def ask_to_unpublish(access: OperatorWriter, api_id: str, portal_id: str) -> Response:
    """Ask before it is taken out of a portal."""
    with access.read() as tx:
        publication = publications.the_publication(tx, api_id, portal_id)
        registered = select(func.count()).where(Registration.api_id == api_id, Registration.portal_id == portal_id)
        count = tx.session.scalar(registered) or 0
        name = f"{publication.api.name} in {publication.portal.name}"
    effect = words(
        "Registrations that go with it, for good: %(count)s. The gateway refuses those applications within a second.",
        count=count,
    )
    title, back = words("Take this API out of the portal?"), f"/operator/apis/{api_id}"
    return ask(access, Question(title=title, name=name, effect=effect, yes=words("Yes, take it out"), back=back))


@routes.post("/publications/{portal_id}/delete", response_class=Response)
def unpublish(access: OperatorWriter, form: OperatorForm, api_id: str, portal_id: str) -> Response:  # noqa: ARG001
    """Take it out."""
    with access.write() as tx:
        publications.unpublish(tx, api_id, portal_id)
    return see_other(access.request, f"/operator/apis/{api_id}", "service-opened" if tx.warnings else "deleted")


@routes.get("/link", response_class=Response)
def show_link(access: OperatorWriter, api_id: str) -> Response:
    """Ask for the Gateway Service."""
    return _link(access, api_id, Form(), {})


@routes.post("/link", response_class=Response)
def link(access: OperatorWriter, form: OperatorForm, api_id: str) -> Response:
    """Link it to a Gateway Service."""
    try:
        with access.write() as tx:
            control_plane = form.optional("control_plane_id") or _usual_control_plane(tx)
            service = {"id": form.text("service_id"), "control_plane_id": control_plane}
            implementations.create(tx, api_id, checked(CreateImplementation, {"service": service}))
    except WRONG as wrong:
        names = {"service.id": "service_id", "service.control_plane_id": "control_plane_id"}
        errors = {names.get(field, field): told for field, told in errors_of(wrong, field="service_id").items()}
        return _link(access, api_id, form, errors, 422)
    return see_other(access.request, f"/operator/apis/{api_id}", "linked")


@routes.get("/unlink", response_class=Response)
def ask_to_unlink(access: OperatorWriter, api_id: str) -> Response:
    """Ask before the link is taken away: it may open the service."""
    with access.read() as tx:
        api = apis.the_api(tx, api_id)
    effect = words(
        "The plugin is taken off the Gateway Service. By the setting on_unlink of its Kong, the service is open to "
        "everybody from then on, or answers nobody."
    )
    back = f"/operator/apis/{api_id}"
    question = Question(
        title=words("Unlink this API?"), name=api.name, effect=effect, yes=words("Yes, unlink it"), back=back
    )
    return ask(access, question)


@routes.post("/unlink", response_class=Response)
def unlink(access: OperatorWriter, form: OperatorForm, api_id: str) -> Response:  # noqa: ARG001  it is ours
    """Take the link away."""
    with access.write() as tx:
        known = apis.the_api(tx, api_id).implementation
        if known is None:
            raise NotFound
        implementations.delete(tx, api_id, known.id)
    return see_other(access.request, f"/operator/apis/{api_id}", "service-opened" if tx.warnings else "deleted")


@routes.get("/specification", response_class=Response)
def show_specification(access: OperatorReader, api_id: str) -> Response:
    """The text of its specification."""
    with access.read() as tx:
        known = _specification(tx, api_id)
    return _spec(access, api_id, Form({"content": [known.content if known is not None else ""]}), {})


@routes.post("/specification", response_class=Response)
def put_specification(access: OperatorWriter, form: OperatorForm, api_id: str) -> Response:
    """Give it a specification, or another one."""
    content = form.text("content")
    try:
        wanted = checked(CreateSpecification, {"content": content})
        examined = specifications.examine(content, None)
        with access.write() as tx:
            known = _specification(tx, api_id)
            if known is None:
                specifications.create(tx, api_id, wanted, examined)
            else:
                specifications.update(tx, api_id, known.id, content, examined, known=known.content)
    except WRONG as wrong:
        return _spec(access, api_id, form, errors_of(wrong, field="content"), 422)
    return see_other(access.request, f"/operator/apis/{api_id}", "saved")


def _specification(tx: Transaction, api_id: str) -> ApiSpecification | None:
    return tx.session.scalar(specifications.of_api(tx, api_id).limit(1))


def _usual_control_plane(tx: Transaction) -> str:
    """Give the id of the region's control plane: that of another link, else one that is made of the region's name."""
    known = tx.session.scalar(
        implementations.all_implementations(tx)
        .with_only_columns(Implementation.control_plane_id)
        .order_by(Implementation.created_at.desc())
        .limit(1)
    )
    return known or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{tx.configuration.public_url}/regions/{tx.region}"))


def _publication(
    access: OperatorWriter, api_id: str, portal_id: str, form: Form, errors: dict[str, str], *, status: int = 200
) -> Response:
    with access.read() as tx:
        api, portal = apis.the_api(tx, api_id), the_portal(tx, portal_id)
        known = tx.session.scalars(strategies.all_strategies(tx).order_by(AuthStrategy.name)).all()
    return render(
        access,
        site_of(access),
        "operators/publication.html",
        status,
        api=api,
        portal=portal,
        strategies=known,
        form=form,
        errors={
            "auth_strategy_id" if name.startswith("auth_strategy") else name: told for name, told in errors.items()
        },
    )


def _link(access: OperatorWriter, api_id: str, form: Form, errors: dict[str, str], status: int = 200) -> Response:
    with access.read() as tx:
        api = apis.the_api(tx, api_id)
    return render(access, site_of(access), "operators/link.html", status, api=api, form=form, errors=errors)


def _spec(access: OperatorReader, api_id: str, form: Form, errors: dict[str, str], status: int = 200) -> Response:
    with access.read() as tx:
        api = apis.the_api(tx, api_id)
    return render(access, site_of(access), "operators/specification.html", status, api=api, form=form, errors=errors)
