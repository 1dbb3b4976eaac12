"""`/operator/portals/{id}/appearance`: the colour and the logo of a portal's pages."""

from typing import Any

import msgspec
from fastapi import Response

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.contract.appearance import UpdateAppearance
from kong_app_auth.portal.services import appearance
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.views.appearance import logo_path
from kong_app_auth.portal.web.forms import Form, OperatorForm, checked, errors_of
from kong_app_auth.portal.web.operators.wrong import WRONG
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.sessions import OperatorWriter
from kong_app_auth.portal.web.sites import site_of

routes = router("/operator/portals/{portal_id}/appearance", "Pages")


@routes.get("", response_class=Response)
def show(access: OperatorWriter, portal_id: str) -> Response:
    """Show how it looks; this page wears the portal's colour."""
    with access.read() as tx:
        accent = the_portal(tx, portal_id).accent
    return _page(access, portal_id, Form({"accent": [accent or ""]}), {})


@routes.post("", response_class=Response)
def save(access: OperatorWriter, form: OperatorForm, portal_id: str) -> Response:
    """Save colour and logo."""
    values: dict[str, Any] = {"accent": form.optional("accent")}
    if form.flag("no_logo"):
        values["logo"] = None
    elif form.text("logo"):
        values["logo"] = "".join(form.text("logo").split())  # tools break base64 into lines
    try:
        wanted = checked(UpdateAppearance, values)
        with access.write() as tx:
            appearance.update(tx, portal_id, wanted)
    except WRONG as wrong:
        return _page(access, portal_id, form, errors_of(wrong), 422)
    return see_other(access.request, f"/operator/portals/{portal_id}/appearance", "saved")


def _page(access: OperatorWriter, portal_id: str, form: Form, errors: dict[str, str], status: int = 200) -> Response:
    with access.read() as tx:
        portal = the_portal(tx, portal_id)
    own, site = f"/p/{portal.slug}", site_of(access)
    if portal.accent is not None:
        site = msgspec.structs.replace(site, colours=f"{own}/appearance/colours-{portal.accent[1:]}.css")
    logo = logo_path(portal)
    return render(
        access,
        site,
        "operators/portal_appearance.html",
        status,
        portal=portal,
        form=form,
        errors=errors,
        logo=None if logo is None else own + logo,
        largest=appearance.MAX_LOGO // 1024,
    )
