"""`/operator`: what waits for an operator, and what to do first where there is nothing yet."""

from typing import Any, Final

import msgspec
from fastapi import Response
from sqlalchemy import select

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.services import apis, approvals, implementations, kong_gateways, portals, publications
from kong_app_auth.portal.store.apis import Api, Implementation, Publication
from kong_app_auth.portal.store.applications import Registration
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.web.forms import Form, OperatorForm
from kong_app_auth.portal.web.operators.lists import Listed, listed, portals_by_id, some
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.sessions import OperatorReader, OperatorWriter
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import Words, words

routes = router("/operator", "Pages")

MAX_REASON: Final = 1000
MAX_CHOSEN: Final = 200
_DECISIONS: Final = {"approve": "approved", "reject": "rejected"}


class Step(msgspec.Struct, frozen=True):
    """A thing to do before anybody can use an API, and whether it is done."""

    label: Words
    text: Words
    path: str
    done: bool


@routes.get("", response_class=Response)
def home(access: OperatorReader) -> Response:
    """The first page after signing in."""
    return _page(access)


@routes.post("/approvals", response_class=Response)
def decide(access: OperatorWriter, form: OperatorForm) -> Response:
    """Approve or reject what was chosen, one or many."""
    chosen, people = form.several("registration"), form.several("developer")
    reason, status = form.optional("reason"), _DECISIONS.get(form.text("decision"))
    wrong = _wrong(len(chosen) + len(people), reason, status)
    if wrong or status is None:
        return _page(access, 422, wrong, form)
    with access.write() as tx:
        _, others = approvals.decide(tx, chosen, people, status, reason)
    return see_other(access.request, "/operator", "decided-by-others" if others else status)


def _wrong(count: int, reason: str | None, status: str | None) -> dict[str, str]:
    if status is None:
        return {"": "Say whether to approve or to reject."}
    if count == 0:
        return {"": "Nothing is chosen: tick the boxes of those that you mean."}
    if count > MAX_CHOSEN:
        return {"": f"Choose at most {MAX_CHOSEN} at a time."}
    if reason is not None and len(reason) > MAX_REASON:
        return {"reason": f"This must have at most {MAX_REASON} characters."}
    return {}


def _page(
    access: OperatorReader, status: int = 200, errors: dict[str, str] | None = None, form: Form | None = None
) -> Response:
    given = form or Form()
    request = access.request
    with access.read() as tx:
        waiting: Listed[Registration] = listed(
            request,
            tx,
            approvals.waiting_registrations(tx),
            Registration.created_at,
            Registration.id,
            narrowed={},
        )
        people: Listed[Developer] = listed(
            request, tx, approvals.waiting_developers(tx), Developer.created_at, Developer.id, narrowed={}
        )
        states = kong_gateways.counted_states(tx)
        context: dict[str, Any] = {
            "waiting": waiting,
            "people": people,
            "portals": portals_by_id(tx),
            "teams": approvals.names_of_teams(tx, waiting.rows),
            "labels": approvals.labels_of(tx, waiting.rows),
            "steps": _steps(tx),
            "broken": [one for one in kong_gateways.gateways(tx) if one.error is not None],
            "failed": states.get("failed", 0),
        }
    return render(
        access,
        site_of(access),
        "operators/home.html",
        status,
        errors=errors or {},
        reason=given.text("reason"),
        chosen={*given.several("registration"), *given.several("developer")},
        **context,
    )


def _steps(tx: Transaction) -> list[Step]:
    """The way from an empty region to an API that is open for registrations; empty once it has been gone."""
    a_portal = some(tx, portals.all_portals(tx).with_only_columns(Portal.id))
    an_api = some(tx, apis.all_apis(tx).options().with_only_columns(Api.id))
    published = some(tx, publications.all_publications(tx).options().with_only_columns(Publication.id))
    linked = some(tx, implementations.all_implementations(tx).with_only_columns(Implementation.id))
    if a_portal and an_api and published and linked:
        return []
    first = tx.session.scalar(select(Api.id).where(Api.region == tx.region).order_by(Api.created_at).limit(1))
    own = f"/operator/apis/{first}" if first is not None else "/operator/apis"
    new_portal, new_api = "/operator/portals/new", "/operator/apis/new"
    return [
        Step(words("Make a portal"), words("The place where developers sign up and find APIs."), new_portal, a_portal),
        Step(
            words("Create an API"), words("A name and a version; its specification, if you have one."), new_api, an_api
        ),
        Step(words("Publish it"), words("In a portal, with an auth strategy: keys or OpenID Connect."), own, published),
        Step(
            words("Link it to a Gateway Service"),
            words("The gateway lets in approved applications only then."),
            own,
            linked,
        ),
    ]
