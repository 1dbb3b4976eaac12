"""`/operator/registrations/{id}`: one registration, with the answers of its applicant, and the decision on it."""

from typing import Final

from fastapi import Response

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.contract.registrations import UpdateRegistration
from kong_app_auth.portal.services import approvals, registrations
from kong_app_auth.portal.web.forms import Form, OperatorForm, checked, errors_of
from kong_app_auth.portal.web.operators.asking import Question, ask
from kong_app_auth.portal.web.operators.lists import portals_by_id
from kong_app_auth.portal.web.operators.wrong import WRONG
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.sessions import OperatorReader, OperatorWriter
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import words

routes = router("/operator/registrations/{registration_id}", "Pages")

CHOICES: Final = (
    ("approved", words("Approved"), words("The gateway lets the application in, within a second.")),
    ("pending", words("Pending"), words("It waits; the gateway refuses it until somebody approves.")),
    ("rejected", words("Rejected"), words("The gateway refuses it. Only an operator can change that or delete it.")),
    ("revoked", words("Revoked"), words("It was let in before and is refused from now on, within a second.")),
)
_STATUSES: Final = tuple(one[0] for one in CHOICES)


@routes.get("", response_class=Response)
def show(access: OperatorReader, registration_id: str, status: str = "") -> Response:
    """Show it. `status` in the address: what is chosen in the form already, and not decided."""
    return _page(access, registration_id, wanted=status if status in _STATUSES else None)


@routes.post("", response_class=Response)
def decide(access: OperatorWriter, form: OperatorForm, registration_id: str) -> Response:
    """Decide on it."""
    try:
        wanted = checked(UpdateRegistration, {"status": form.text("status"), "reason": form.optional("reason")})
        with access.write() as tx:
            found = approvals.the_registration(tx, registration_id)
            registrations.update(tx, found.application, found.id, wanted)
    except WRONG as wrong:
        return _page(access, registration_id, 422, errors_of(wrong), form)
    return see_other(access.request, f"/operator/registrations/{registration_id}", "saved")


@routes.get("/delete", response_class=Response)
def ask_to_delete(access: OperatorWriter, registration_id: str) -> Response:
    """Ask before it is deleted."""
    with access.read() as tx:
        found = approvals.the_registration(tx, registration_id)
        name = f"{found.application.name} → {found.api.name}"
    effect = words(
        "The answers go with it, and the gateway refuses the application within a second. It may register again."
    )
    back = f"/operator/registrations/{registration_id}"
    question = Question(
        title=words("Delete this registration?"), name=name, effect=effect, yes=words("Yes, delete it"), back=back
    )
    return ask(access, question)


@routes.post("/delete", response_class=Response)
def delete(access: OperatorWriter, form: OperatorForm, registration_id: str) -> Response:  # noqa: ARG001  ours
    """Delete it."""
    with access.write() as tx:
        found = approvals.the_registration(tx, registration_id)
        application_id = found.application_id
        registrations.delete(tx, found.application, found.id)
    return see_other(access.request, f"/operator/applications/{application_id}", "deleted")


def _page(
    access: OperatorReader,
    registration_id: str,
    status: int = 200,
    errors: dict[str, str] | None = None,
    form: Form | None = None,
    *,
    wanted: str | None = None,
) -> Response:
    with access.read() as tx:
        found = approvals.the_registration(tx, registration_id)
        teams, labels = approvals.names_of_teams(tx, [found]), approvals.labels_of(tx, [found])
        portals = portals_by_id(tx)
    given = form or Form()
    return render(
        access,
        site_of(access),
        "operators/registration.html",
        status,
        errors=errors or {},
        registration=found,
        portal=portals[found.portal_id],
        teams=teams,
        labels=labels[found.portal_id],
        choices=CHOICES,
        chosen=given.text("status", wanted or ("approved" if found.status == "pending" else found.status)),
        reason=given.text("reason", found.reason or ""),
    )
