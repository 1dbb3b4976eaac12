"""`/operator`: what waits for an operator."""

from fastapi import Response

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.web.rendering import render
from kong_app_auth.portal.web.sessions import OperatorReader
from kong_app_auth.portal.web.sites import site_of

routes = router("/operator", "Pages")


@routes.get("", response_class=Response)
def home(access: OperatorReader) -> Response:
    """The first page after signing in."""
    return render(access, site_of(access), "operators/home.html")
