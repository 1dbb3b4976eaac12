"""`/why`: why a request was refused, by the id that the client was shown."""

from fastapi import Response

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.errors import NotFound
from kong_app_auth.portal.services import refusals
from kong_app_auth.portal.views.refusals import refusal_view
from kong_app_auth.portal.web.rendering import render
from kong_app_auth.portal.web.sessions import Developer
from kong_app_auth.portal.web.sites import site_of

routes = router("/why", "Pages")

MAX_ID = 100


@routes.get("", response_class=Response)
def show_why(access: Developer, request_id: str = "") -> Response:
    """Ask for the id, and explain."""
    wanted, found, problem = request_id.strip()[:MAX_ID], None, None
    if wanted:
        try:
            with access.read() as tx:
                found = refusal_view(refusals.of_developer(tx, access.portal.id, access.developer_id, wanted))
        except NotFound:
            problem = (
                "No refusal of your applications has this id. Gateways report within some seconds, so try again in a "
                "moment; and look whether the id is whole."
            )
    return render(
        access,
        site_of(access),
        "developers/why.html",
        request_id=wanted,
        found=found,
        errors={"request_id": problem} if problem else {},
    )
