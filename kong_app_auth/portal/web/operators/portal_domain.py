"""`/operator/portals/{id}/custom-domain`: the host name that an operator gives a portal."""

from fastapi import Response

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.contract.custom_domain import SetDomain
from kong_app_auth.portal.services import custom_domains
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.web.forms import Form, OperatorForm, checked, errors_of
from kong_app_auth.portal.web.operators.asking import Question, ask
from kong_app_auth.portal.web.operators.wrong import WRONG
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.sessions import OperatorWriter
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import words

routes = router("/operator/portals/{portal_id}/custom-domain", "Pages")


@routes.get("", response_class=Response)
def show(access: OperatorWriter, portal_id: str) -> Response:
    """Ask for the name."""
    with access.read() as tx:
        known = the_portal(tx, portal_id).custom_domain
    return _page(access, portal_id, Form({"hostname": [known or ""]}), {})


@routes.post("", response_class=Response)
def save(access: OperatorWriter, form: OperatorForm, portal_id: str) -> Response:
    """Give the portal the name."""
    try:
        wanted = checked(SetDomain, {"hostname": form.text("hostname")})
        with access.write() as tx:
            custom_domains.put(tx, portal_id, wanted)
    except WRONG as wrong:
        return _page(access, portal_id, form, errors_of(wrong, field="hostname"), 422)
    return see_other(access.request, f"/operator/portals/{portal_id}", "saved")


@routes.get("/delete", response_class=Response)
def ask_to_delete(access: OperatorWriter, portal_id: str) -> Response:
    """Ask before it is taken away."""
    with access.read() as tx:
        name = custom_domains.domain_of(tx, portal_id)
    effect = words(
        "Links in mails lead to the portal's usual address from now on, and this name finds the portal no more. "
        "Whoever is signed in at this name signs in again."
    )
    back = f"/operator/portals/{portal_id}/custom-domain"
    title = words("Take this host name away?")
    return ask(access, Question(title=title, name=name, effect=effect, yes=words("Yes, take it away"), back=back))


@routes.post("/delete", response_class=Response)
def delete(access: OperatorWriter, form: OperatorForm, portal_id: str) -> Response:  # noqa: ARG001  it is ours
    """Take it away."""
    with access.write() as tx:
        custom_domains.remove(tx, portal_id)
    return see_other(access.request, f"/operator/portals/{portal_id}", "deleted")


def _page(access: OperatorWriter, portal_id: str, form: Form, errors: dict[str, str], status: int = 200) -> Response:
    with access.read() as tx:
        portal = the_portal(tx, portal_id)
    return render(
        access, site_of(access), "operators/portal_domain.html", status, portal=portal, form=form, errors=errors
    )
