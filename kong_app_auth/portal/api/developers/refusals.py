"""`/api/v3/refusals`: beyond Konnect."""

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Member
from kong_app_auth.portal.contract.usage import RefusalView
from kong_app_auth.portal.services import refusals
from kong_app_auth.portal.views.refusals import refusal_view

routes = router("/api/v3/refusals", "Refusals")


@routes.get("/{request_id}")
def get_own_refusal(access: Member, request_id: str) -> RefusalView:
    """Why a request of one of the developer's own applications was refused."""
    with access.read() as tx:
        return refusal_view(refusals.of_developer(tx, access.portal.id, access.developer_id, request_id))
