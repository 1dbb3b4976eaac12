"""`/v3/refusals`: beyond Konnect."""

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Reader
from kong_app_auth.portal.contract.usage import RefusalView
from kong_app_auth.portal.services import refusals
from kong_app_auth.portal.views.refusals import refusal_view

routes = router("/v3/refusals", "Refusals")


@routes.get("/{request_id}")
def get_refusal(access: Reader, request_id: str) -> RefusalView:
    """Why a request at a gateway of the region was refused."""
    with access.read() as tx:
        return refusal_view(refusals.in_region(tx, request_id))
