"""`/operator/developers`, and one of a portal: who they are, what they have, and whether they get in."""

from typing import Any, Final

from fastapi import Request, Response
from sqlalchemy import select
from sqlalchemy.orm import joinedload, undefer

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.contract.developers import CreateDeveloper, UpdateDeveloper
from kong_app_auth.portal.errors import Invalid
from kong_app_auth.portal.services import developer_administration, teams
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.teams import Team
from kong_app_auth.portal.web.forms import Form, OperatorForm, checked, errors_of, first_time
from kong_app_auth.portal.web.operators.asking import Question, ask
from kong_app_auth.portal.web.operators.lists import asked, holds, is_id, listed, portals_by_id
from kong_app_auth.portal.web.operators.wrong import WRONG
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.sessions import OperatorReader, OperatorWriter
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import words

routes = router("/operator", "Pages")

STATUSES: Final = ("approved", "pending", "rejected", "revoked")
EFFECTS: Final = {
    "approved": (
        words("Approve"),
        words("Signs in, makes applications; the gateway lets in what is registered and approved."),
    ),
    "pending": (words("Let wait"), words("Cannot sign in, and waits for your decision. Keys are refused.")),
    "rejected": (words("Reject"), words("Cannot sign in, and hears by mail that it was not approved.")),
    "revoked": (
        words("Revoke"),
        words("Is signed out everywhere; the gateway refuses all own keys and clients within a second."),
    ),
}
"""What becomes of a developer with each status: label and words."""
_ONE: Final = "/portals/{portal_id}/developers/{developer_id}"
_SHOWN: Final = 100


@routes.get("/developers", response_class=Response)
def list_developers(access: OperatorReader, request: Request) -> Response:
    """All developers; those of a portal, those with a status."""
    given = asked(request, "q", "portal", "status")
    with access.read() as tx:
        portals = portals_by_id(tx)
        statement = select(Developer).where(Developer.portal_id.in_(portals))
        if given["q"]:
            statement = statement.where(holds(given["q"], Developer.full_name, Developer.email))
        if given["portal"]:
            statement = statement.where(Developer.portal_id == is_id(given["portal"]))
        if given["status"] in STATUSES:
            statement = statement.where(Developer.status == given["status"])
        found = listed(request, tx, statement, Developer.full_name, Developer.id, narrowed=given)
    return render(
        access,
        site_of(access),
        "operators/developers.html",
        found=found,
        portals=portals,
        statuses=STATUSES,
        given=given,
    )


@routes.get("/portals/{portal_id}/developers/new", response_class=Response)
def show_new(access: OperatorWriter, portal_id: str) -> Response:
    """Ask whom to invite."""
    return _new(access, portal_id, Form({"send_invitation_email": ["true"]}), {})


@routes.post("/portals/{portal_id}/developers/new", response_class=Response)
def create(access: OperatorWriter, form: OperatorForm, portal_id: str) -> Response:
    """Add a developer, who sets a password by the link of the mail."""
    values = {
        "email": form.text("email"),
        "full_name": form.text("full_name"),
        "status": "approved",
        "send_invitation_email": form.flag("send_invitation_email"),
    }
    try:
        wanted = checked(CreateDeveloper, values)
        with access.write() as tx:
            if not first_time(tx, access, form):
                return see_other(access.request, "/operator/developers", "already")
            developer_id = developer_administration.create(tx, portal_id, wanted).id
    except WRONG as wrong:
        return _new(access, portal_id, form, errors_of(wrong, field="email"), 422)
    return see_other(access.request, f"/operator/portals/{portal_id}/developers/{developer_id}", "created")


@routes.get(_ONE, response_class=Response)
def show(access: OperatorReader, portal_id: str, developer_id: str) -> Response:
    """A developer: status, teams, applications."""
    return _page(access, portal_id, developer_id)


@routes.post(_ONE, response_class=Response)
def decide(access: OperatorWriter, form: OperatorForm, portal_id: str, developer_id: str) -> Response:
    """Give the developer another status."""
    try:
        wanted = checked(UpdateDeveloper, {"status": form.text("status")})
        with access.write() as tx:
            developer_administration.update(tx, portal_id, developer_id, wanted)
    except Invalid as wrong:
        return _page(access, portal_id, developer_id, 422, errors_of(wrong))
    return see_other(access.request, f"/operator/portals/{portal_id}/developers/{developer_id}", "saved")


@routes.get(f"{_ONE}/delete", response_class=Response)
def ask_to_delete(access: OperatorWriter, portal_id: str, developer_id: str) -> Response:
    """Ask before the account is deleted."""
    with access.read() as tx:
        developer = developer_administration.the_developer(tx, portal_id, developer_id)
        name = f"{developer.full_name}, {developer.email}"
    effect = words(
        "The own applications go with the account, with their registrations, keys and clients: the gateway refuses "
        "them within a second. Applications of teams stay. The same person may sign up again; revoke the account to "
        "prevent that."
    )
    back = f"/operator/portals/{portal_id}/developers/{developer_id}"
    question = Question(
        title=words("Delete this developer?"), name=name, effect=effect, yes=words("Yes, delete"), back=back
    )
    return ask(access, question)


@routes.post(f"{_ONE}/delete", response_class=Response)
def delete(access: OperatorWriter, form: OperatorForm, portal_id: str, developer_id: str) -> Response:  # noqa: ARG001
    """Delete the account."""
    with access.write() as tx:
        developer_administration.delete(tx, portal_id, developer_id)
    return see_other(access.request, "/operator/developers", "deleted")


def _page(
    access: OperatorReader,
    portal_id: str,
    developer_id: str,
    status: int = 200,
    errors: dict[str, str] | None = None,
) -> Response:
    with access.read() as tx:
        portal = the_portal(tx, portal_id)
        developer = developer_administration.the_developer(tx, portal_id, developer_id)
        own = teams.teams_of_developer(tx, portal_id, developer_id).order_by(Team.name)
        held = select(Application).where(Application.developer_id == developer.id)
        held = held.options(joinedload(Application.auth_strategy), undefer(Application.registration_count))
        context: dict[str, Any] = {
            "portal": portal,
            "developer": developer,
            "teams": tx.session.scalars(own).all(),
            "applications": tx.session.scalars(held.order_by(Application.name).limit(_SHOWN)).all(),
            "next": [(one, *EFFECTS[one]) for one in developer_administration.NEXT[developer.status]],
        }
    return render(access, site_of(access), "operators/developer.html", status, errors=errors or {}, **context)


def _new(access: OperatorWriter, portal_id: str, form: Form, errors: dict[str, str], status: int = 200) -> Response:
    with access.read() as tx:
        portal = the_portal(tx, portal_id)
    return render(
        access, site_of(access), "operators/developer_new.html", status, portal=portal, form=form, errors=errors
    )
