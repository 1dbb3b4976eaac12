"""`/operator/teams`, and one of a portal: its members, its roles on APIs, its applications."""

from typing import Any, Final

from fastapi import Request, Response
from sqlalchemy import func, select

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.contract.teams import ALL_APIS, AddMember, AssignRole, CreateTeam, UpdateTeam
from kong_app_auth.portal.errors import invalid
from kong_app_auth.portal.services import accounts, apis, roles, teams
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.services.rbac import CONSUMER, EVERYWHERE, VIEWER
from kong_app_auth.portal.store.apis import Api
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.teams import Team, TeamMember, TeamRole
from kong_app_auth.portal.web.forms import Form, OperatorForm, checked, errors_of, first_time
from kong_app_auth.portal.web.operators.asking import Question, ask
from kong_app_auth.portal.web.operators.lists import asked, holds, is_id, listed, portals_by_id
from kong_app_auth.portal.web.operators.wrong import WRONG
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.sessions import OperatorReader, OperatorWriter
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import words

routes = router("/operator", "Pages")

ROLES: Final = (
    (VIEWER, "API Viewer: sees the API"),
    (CONSUMER, "API Consumer: sees it, and registers applications with it"),
)
_ONE: Final = "/portals/{portal_id}/teams/{team_id}"
_SHOWN: Final = 200
"""Members, roles or applications on a team's page, and APIs to choose from."""


@routes.get("/teams", response_class=Response)
def list_teams(access: OperatorReader, request: Request) -> Response:
    """All teams; those of a portal."""
    given = asked(request, "q", "portal")
    with access.read() as tx:
        portals = portals_by_id(tx)
        statement = select(Team).where(Team.portal_id.in_(portals))
        if given["q"]:
            statement = statement.where(holds(given["q"], Team.name, Team.description))
        if given["portal"]:
            statement = statement.where(Team.portal_id == is_id(given["portal"]))
        found = listed(request, tx, statement, Team.name, Team.id, narrowed=given)
        counted = select(TeamMember.team_id, func.count()).where(TeamMember.team_id.in_([one.id for one in found.rows]))
        members = {str(row[0]): int(row[1]) for row in tx.session.execute(counted.group_by(TeamMember.team_id))}
    return render(
        access,
        site_of(access),
        "operators/teams.html",
        found=found,
        portals=portals,
        members=members,
        given=given,
    )


@routes.get("/portals/{portal_id}/teams/new", response_class=Response)
def show_new(access: OperatorWriter, portal_id: str) -> Response:
    """Ask what it is."""
    return _form(access, portal_id, None, Form({"can_own_applications": ["true"]}), {})


@routes.post("/portals/{portal_id}/teams/new", response_class=Response)
def create(access: OperatorWriter, form: OperatorForm, portal_id: str) -> Response:
    """Make it."""
    try:
        wanted = checked(CreateTeam, _values(form))
        with access.write() as tx:
            if not first_time(tx, access, form):
                return see_other(access.request, "/operator/teams", "already")
            team_id = teams.create(tx, portal_id, wanted).id
    except WRONG as wrong:
        return _form(access, portal_id, None, form, errors_of(wrong), status=422)
    return see_other(access.request, f"/operator/portals/{portal_id}/teams/{team_id}", "created")


@routes.get(_ONE, response_class=Response)
def show(access: OperatorReader, portal_id: str, team_id: str) -> Response:
    """A team."""
    return _page(access, portal_id, team_id, Form(), {})


@routes.get(f"{_ONE}/edit", response_class=Response)
def show_edit(access: OperatorWriter, portal_id: str, team_id: str) -> Response:
    """Show what can be changed."""
    with access.read() as tx:
        team = teams.the_team(tx, portal_id, team_id)
    given = {"name": [team.name], "description": [team.description or ""]}
    if team.can_own_applications:
        given["can_own_applications"] = ["true"]
    return _form(access, portal_id, team, Form(given), {})


@routes.post(f"{_ONE}/edit", response_class=Response)
def edit(access: OperatorWriter, form: OperatorForm, portal_id: str, team_id: str) -> Response:
    """Change it."""
    try:
        wanted = checked(UpdateTeam, _values(form))
        with access.write() as tx:
            teams.update(tx, portal_id, team_id, wanted)
    except WRONG as wrong:
        with access.read() as tx:
            team = teams.the_team(tx, portal_id, team_id)
        return _form(access, portal_id, team, form, errors_of(wrong), status=422)
    return see_other(access.request, f"/operator/portals/{portal_id}/teams/{team_id}", "saved")


@routes.get(f"{_ONE}/delete", response_class=Response)
def ask_to_delete(access: OperatorWriter, portal_id: str, team_id: str) -> Response:
    """Ask before it is deleted."""
    with access.read() as tx:
        team = teams.the_team(tx, portal_id, team_id)
        held = tx.session.scalar(select(func.count()).where(Application.team_id == team.id)) or 0
    effect = words(
        "Its applications go with it (%(held)s), with their keys and clients: the gateway refuses them within a "
        "second. Its roles go too. Its members stay, and lose what only this team gave them.",
        held=held,
    )
    back = f"/operator/portals/{portal_id}/teams/{team_id}"
    question = Question(
        title=words("Delete this team?"), name=team.name, effect=effect, yes=words("Yes, delete it"), back=back
    )
    return ask(access, question)


@routes.post(f"{_ONE}/delete", response_class=Response)
def delete(access: OperatorWriter, form: OperatorForm, portal_id: str, team_id: str) -> Response:  # noqa: ARG001
    """Delete it."""
    with access.write() as tx:
        teams.delete(tx, portal_id, team_id)
    return see_other(access.request, "/operator/teams", "deleted")


@routes.post(f"{_ONE}/members", response_class=Response)
def add_member(access: OperatorWriter, form: OperatorForm, portal_id: str, team_id: str) -> Response:
    """Put a developer of the portal into it, by the e-mail address."""
    try:
        with access.write() as tx:
            team = teams.the_team(tx, portal_id, team_id)
            developer = accounts.by_email(tx, team.portal_id, form.text("email"))
            if developer is None:
                raise invalid("email", "is the address of no developer of this portal")
            teams.add_member(tx, portal_id, team_id, checked(AddMember, {"id": developer.id}))
    except WRONG as wrong:
        return _page(access, portal_id, team_id, form, errors_of(wrong, field="email"), status=422)
    return see_other(access.request, f"/operator/portals/{portal_id}/teams/{team_id}", "saved")


@routes.post(f"{_ONE}/members/{{developer_id}}/remove", response_class=Response)
def remove_member(
    access: OperatorWriter,
    form: OperatorForm,  # noqa: ARG001  it is ours
    portal_id: str,
    team_id: str,
    developer_id: str,
) -> Response:
    """Take a developer out of it."""
    with access.write() as tx:
        teams.remove_member(tx, portal_id, team_id, developer_id)
    return see_other(access.request, f"/operator/portals/{portal_id}/teams/{team_id}", "saved")


@routes.post(f"{_ONE}/roles", response_class=Response)
def assign_role(access: OperatorWriter, form: OperatorForm, portal_id: str, team_id: str) -> Response:
    """Give it a role on an API, or on all."""
    values = {
        "role_name": form.text("role_name"),
        "entity_id": form.text("entity_id"),
        "entity_type_name": "APIs",
        "entity_region": EVERYWHERE,
    }
    try:
        with access.write() as tx:
            roles.assign(tx, portal_id, team_id, checked(AssignRole, values))
    except WRONG as wrong:
        return _page(access, portal_id, team_id, form, errors_of(wrong, field="entity_id"), status=422)
    return see_other(access.request, f"/operator/portals/{portal_id}/teams/{team_id}", "saved")


@routes.post(f"{_ONE}/roles/{{role_id}}/remove", response_class=Response)
def remove_role(
    access: OperatorWriter,
    form: OperatorForm,  # noqa: ARG001  it is ours
    portal_id: str,
    team_id: str,
    role_id: str,
) -> Response:
    """Take a role away."""
    with access.write() as tx:
        roles.remove(tx, portal_id, team_id, role_id)
    return see_other(access.request, f"/operator/portals/{portal_id}/teams/{team_id}", "saved")


def _values(form: Form) -> dict[str, object]:
    values: dict[str, object] = {"name": form.text("name"), "can_own_applications": form.flag("can_own_applications")}
    return values | ({"description": form.text("description")} if form.text("description") else {})


def _page(
    access: OperatorReader, portal_id: str, team_id: str, form: Form, errors: dict[str, str], *, status: int = 200
) -> Response:
    with access.read() as tx:
        portal = the_portal(tx, portal_id)
        team = teams.the_team(tx, portal_id, team_id)
        members = teams.members(tx, portal_id, team_id).order_by(Developer.full_name, Developer.id).limit(_SHOWN)
        held = select(Application).where(Application.team_id == team.id).order_by(Application.name).limit(_SHOWN)
        given = roles.roles_of_team(tx, portal_id, team_id).order_by(TeamRole.created_at, TeamRole.id).limit(_SHOWN)
        known = tx.session.execute(
            apis.all_apis(tx).options().with_only_columns(Api.id, Api.name, Api.version).order_by(Api.name, Api.id)
        ).all()
        names = {one.id: f"{one.name} {one.version or ''}".strip() for one in known}
        context: dict[str, Any] = {
            "portal": portal,
            "team": team,
            "members": tx.session.scalars(members).all(),
            "applications": tx.session.scalars(held).all(),
            "roles": [(one, names.get(one.entity_id or "")) for one in tx.session.scalars(given)],
            "apis": [(ALL_APIS, "all APIs"), *list(names.items())[:_SHOWN]],
            "role_names": ROLES,
        }
    return render(access, site_of(access), "operators/team.html", status, form=form, errors=errors, **context)


def _form(
    access: OperatorWriter, portal_id: str, team: Team | None, form: Form, errors: dict[str, str], *, status: int = 200
) -> Response:
    with access.read() as tx:
        portal = the_portal(tx, portal_id)
    return render(
        access,
        site_of(access),
        "operators/team_form.html",
        status,
        portal=portal,
        team=team,
        form=form,
        errors=errors,
    )
