"""Light or dark: kept in a cookie, so that a page comes in the right colours without a script."""

from datetime import timedelta
from typing import Final

from fastapi import Response

from kong_app_auth.portal.api.return_paths import safe_path
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.web.forms import Form, OperatorsAddressForm, VisitorForm
from kong_app_auth.portal.web.rendering import THEME_COOKIE, see_other
from kong_app_auth.portal.web.sessions import OperatorAccess, OperatorsAddress, PageAccess, Visitor, root_of

routes = router("", "Pages")
_KEPT: Final = int(timedelta(days=365).total_seconds())


@routes.post("/theme", response_class=Response)
def choose_theme(access: Visitor, form: VisitorForm) -> Response:
    """Keep what a visitor of a portal chose."""
    return _chosen(access, form, safe_path(form.text("return_to")))


@routes.post("/operator/theme", response_class=Response)
def choose_operators_theme(access: OperatorsAddress, form: OperatorsAddressForm) -> Response:
    """Keep what an operator chose."""
    return _chosen(access, form, safe_path(form.text("return_to"), "/operator"))


def _chosen(access: PageAccess | OperatorAccess, form: Form, path: str) -> Response:
    theme, own_path = form.text("theme"), root_of(access.request) or "/"
    response = see_other(access.request, path)
    if theme in ("light", "dark"):
        secure = access.plane.configuration.secure
        response.set_cookie(THEME_COOKIE, theme, _KEPT, path=own_path, secure=secure, httponly=True, samesite="lax")
    else:
        response.delete_cookie(THEME_COOKIE, path=own_path)
    return response
