"""`/operator/apis`: APIs, created, changed and deleted; what they are published and linked as is beside this module."""

from fastapi import Request, Response
from sqlalchemy import func, select

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.contract.apis import CreateApi, UpdateApi
from kong_app_auth.portal.services import apis, kong_gateways, publications, specifications
from kong_app_auth.portal.store.apis import Api, Publication
from kong_app_auth.portal.store.applications import Registration
from kong_app_auth.portal.web.forms import Form, OperatorForm, checked, errors_of, first_time
from kong_app_auth.portal.web.operators.asking import Question, ask
from kong_app_auth.portal.web.operators.lists import asked, holds, listed, portals_by_id
from kong_app_auth.portal.web.operators.wrong import WRONG
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.sessions import OperatorReader, OperatorWriter
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import words

routes = router("/operator/apis", "Pages")

_OPTIONAL = ("version", "description", "slug")


@routes.get("", response_class=Response)
def list_apis(access: OperatorReader, request: Request) -> Response:
    """All APIs of the region, and how the gateway stands with each."""
    given = asked(request, "q")
    with access.read() as tx:
        statement = apis.all_apis(tx)
        if given["q"]:
            statement = statement.where(holds(given["q"], Api.name, Api.version, Api.slug))
        found = listed(request, tx, statement, Api.name, Api.id, narrowed=given)
        links = [one.implementation.service_id for one in found.rows if one.implementation is not None]
        services = kong_gateways.states_of(tx, links)
    return render(access, site_of(access), "operators/apis.html", found=found, services=services, q=given["q"])


@routes.get("/new", response_class=Response)
def show_new(access: OperatorWriter) -> Response:
    """Ask what it is."""
    return _form(access, None, Form(), {})


@routes.post("/new", response_class=Response)
def create(access: OperatorWriter, form: OperatorForm) -> Response:
    """Create it."""
    try:
        values = {"name": form.text("name"), **{one: form.text(one) for one in _OPTIONAL if form.text(one)}}
        content = form.text("spec_content")
        wanted = checked(CreateApi, {**values, "spec_content": content} if content else values)
        examined = specifications.examine(content, None, "spec_content") if content else None
        with access.write() as tx:
            if not first_time(tx, access, form):
                return see_other(access.request, "/operator/apis", "already")
            api_id = apis.create(tx, wanted, examined).id
    except WRONG as wrong:
        return _form(access, None, form, errors_of(wrong), 422)
    return see_other(access.request, f"/operator/apis/{api_id}", "created")


@routes.get("/{api_id}", response_class=Response)
def show(access: OperatorReader, api_id: str) -> Response:
    """An API: its publications, its link, and who is registered with it."""
    with access.read() as tx:
        api = apis.the_whole_api(tx, api_id)
        statement = publications.all_publications(tx).where(Publication.api_id == api.id)
        published = tx.session.scalars(statement.order_by(Publication.created_at)).unique().all()
        strategies = {one.id: one.auth_strategy for one in published}
        warnings = publications.warnings(tx, published)
        service_id = None if api.implementation is None else api.implementation.service_id
        service = kong_gateways.states_of(tx, [service_id]).get(service_id or "")
        counted = select(Registration.status, func.count()).where(Registration.api_id == api.id)
        counts = {
            str(status): int(count) for status, count in tx.session.execute(counted.group_by(Registration.status))
        }
        messages = api.specifications[0].validation_messages if api.specifications else []
        portals = portals_by_id(tx)
    return render(
        access,
        site_of(access),
        "operators/api.html",
        api=api,
        published=published,
        strategies=strategies,
        warnings=warnings,
        service=service,
        counts=counts,
        messages=messages,
        portals=portals,
        unpublished=[one for one in portals.values() if one.id not in {each.portal_id for each in published}],
    )


@routes.get("/{api_id}/edit", response_class=Response)
def show_edit(access: OperatorWriter, api_id: str) -> Response:
    """Show what can be changed."""
    with access.read() as tx:
        api = apis.the_api(tx, api_id)
    given = {one: [getattr(api, one) or ""] for one in ("name", *_OPTIONAL)}
    return _form(access, api, Form(given), {})


@routes.post("/{api_id}/edit", response_class=Response)
def edit(access: OperatorWriter, form: OperatorForm, api_id: str) -> Response:
    """Change it."""
    try:
        wanted = checked(UpdateApi, {"name": form.text("name"), **{one: form.optional(one) for one in _OPTIONAL}})
        with access.write() as tx:
            apis.update(tx, api_id, wanted)
    except WRONG as wrong:
        with access.read() as tx:
            api = apis.the_api(tx, api_id)
        return _form(access, api, form, errors_of(wrong), 422)
    return see_other(access.request, f"/operator/apis/{api_id}", "saved")


@routes.get("/{api_id}/delete", response_class=Response)
def ask_to_delete(access: OperatorWriter, api_id: str) -> Response:
    """Ask before it is deleted."""
    with access.read() as tx:
        api = apis.the_api(tx, api_id)
    effect = words(
        "Its registrations, publications, specification and its link to the gateway go with it. It cannot be undone."
    )
    back = f"/operator/apis/{api_id}"
    question = Question(
        title=words("Delete this API?"), name=api.name, effect=effect, yes=words("Yes, delete it"), back=back
    )
    return ask(access, question)


@routes.post("/{api_id}/delete", response_class=Response)
def delete(access: OperatorWriter, form: OperatorForm, api_id: str) -> Response:  # noqa: ARG001  it is ours
    """Delete it."""
    with access.write() as tx:
        apis.delete(tx, api_id)
    return see_other(access.request, "/operator/apis", "service-opened" if tx.warnings else "deleted")


def _form(access: OperatorWriter, api: Api | None, form: Form, errors: dict[str, str], status: int = 200) -> Response:
    return render(access, site_of(access), "operators/api_form.html", status, api=api, form=form, errors=errors)
