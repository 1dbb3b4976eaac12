"""`/operator/applications`: every application of the region, with its registrations, keys or OAuth client."""

from typing import Any, Final

from fastapi import Request, Response
from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload, undefer

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.services import applications, credentials, dcr_credentials, ownership, registrations
from kong_app_auth.portal.store.apis import Api
from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.store.teams import Team
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.web.developers.keys import keys_of, secrets_of
from kong_app_auth.portal.web.forms import OperatorForm
from kong_app_auth.portal.web.operators.asking import Question, ask
from kong_app_auth.portal.web.operators.lists import asked, holds, is_id, listed, portals_by_id
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.sessions import OperatorReader, OperatorWriter
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import words

routes = router("/operator/applications", "Pages")

STATUSES: Final = ("approved", "pending", "rejected", "revoked")


@routes.get("", response_class=Response)
def list_applications(access: OperatorReader, request: Request) -> Response:
    """All applications; those of a portal, those registered with an API, those in a state."""
    given = asked(request, "q", "portal", "api", "status")
    with access.read() as tx:
        portals = portals_by_id(tx)
        statement = _chosen(given, select(Application).where(Application.portal_id.in_(portals)))
        found = listed(request, tx, statement, Application.name, Application.id, narrowed=given)
        teams = _teams(tx, [one.team_id for one in found.rows if one.team_id is not None])
        api = tx.session.scalar(select(Api).where(Api.id == is_id(given["api"]), Api.region == tx.region))
    return render(
        access,
        site_of(access),
        "operators/applications.html",
        found=found,
        portals=portals,
        teams=teams,
        api=api,
        statuses=STATUSES,
        given=given,
    )


@routes.get("/{application_id}", response_class=Response)
def show(access: OperatorReader, application_id: str) -> Response:
    """An application: whose it is, what it may call, and its keys or its client."""
    with access.read() as tx:
        one = ownership.application_in_region(tx, application_id)
        registered = registrations.registrations_of(one).order_by(Api.name, Registration.id)
        is_keyed = one.auth_strategy.strategy_type == "key_auth"
        made_here = dcr_credentials.has_client(one)
        context: dict[str, Any] = {
            "application": one,
            "portal": portals_by_id(tx)[one.portal_id],
            "strategy": one.auth_strategy,
            "developer": one.developer,
            "teams": _teams(tx, [] if one.team_id is None else [one.team_id]),
            "registered": [(each, each.api) for each in tx.session.scalars(registered)],
            "keys": keys_of(tx, one) if is_keyed else None,
            "secrets": secrets_of(tx, one) if made_here else None,
        }
    return render(access, site_of(access), "operators/application.html", **context)


@routes.get("/{application_id}/credentials/{credential_id}/revoke", response_class=Response)
def ask_to_revoke(access: OperatorWriter, application_id: str, credential_id: str) -> Response:
    """Ask before a key is revoked: it cannot be taken back."""
    with access.read() as tx:
        application = ownership.application_in_region(tx, application_id)
        credential = credentials.the_credential(tx, application, credential_id)
        name = f"{credential.display_name} of {application.name}"
    effect = words(
        "Every gateway of the region refuses the key within a second, and for good. Its owner can make another one; to "
        "prevent that, revoke the registrations or the developer."
    )
    back = f"/operator/applications/{application_id}"
    question = Question(
        title=words("Revoke this key?"), name=name, effect=effect, yes=words("Yes, revoke it"), back=back
    )
    return ask(access, question)


@routes.post("/{application_id}/credentials/{credential_id}/revoke", response_class=Response)
def revoke(access: OperatorWriter, form: OperatorForm, application_id: str, credential_id: str) -> Response:  # noqa: ARG001
    """Revoke it."""
    with access.write() as tx:
        credentials.revoke(tx, ownership.application_in_region(tx, application_id), credential_id)
    return see_other(access.request, f"/operator/applications/{application_id}", "key-revoked")


@routes.get("/{application_id}/delete", response_class=Response)
def ask_to_delete(access: OperatorWriter, application_id: str) -> Response:
    """Ask before it is deleted."""
    with access.read() as tx:
        name = ownership.application_in_region(tx, application_id).name
    effect = words(
        "Its registrations, and its keys or its OAuth client, go with it. Every gateway of the region refuses it "
        "within a second. It cannot be undone."
    )
    back = f"/operator/applications/{application_id}"
    question = Question(
        title=words("Delete this application?"), name=name, effect=effect, yes=words("Yes, delete it"), back=back
    )
    return ask(access, question)


@routes.post("/{application_id}/delete", response_class=Response)
def delete(access: OperatorWriter, form: OperatorForm, application_id: str) -> Response:  # noqa: ARG001  it is ours
    """Delete it."""
    with access.write() as tx:
        applications.delete(tx, ownership.application_in_region(tx, application_id))
    return see_other(access.request, "/operator/applications", "deleted")


def _chosen(given: dict[str, str], statement: Select[Application]) -> Select[Application]:
    """Narrow the applications down to those that were asked for, and load what the list shows of each."""
    if given["q"]:
        statement = statement.join(Developer, Developer.id == Application.developer_id, isouter=True)
        columns = (Application.name, Application.client_id, Developer.full_name, Developer.email)
        statement = statement.where(holds(given["q"], *columns))
    if given["portal"]:
        statement = statement.where(Application.portal_id == is_id(given["portal"]))
    if given["api"] or given["status"] in STATUSES:
        wanted = select(Registration.application_id)
        if given["api"]:
            wanted = wanted.where(Registration.api_id == is_id(given["api"]))
        if given["status"] in STATUSES:
            wanted = wanted.where(Registration.status == given["status"])
        statement = statement.where(Application.id.in_(wanted))
    return statement.options(
        joinedload(Application.auth_strategy),
        joinedload(Application.developer),
        undefer(Application.registration_count),
    )


def _teams(tx: Transaction, team_ids: list[str]) -> dict[str, str]:
    if not team_ids:
        return {}
    here = select(Team.id, Team.name).join(Portal, Portal.id == Team.portal_id).where(Portal.region == tx.region)
    return {row.id: row.name for row in tx.session.execute(here.where(Team.id.in_(team_ids)))}
