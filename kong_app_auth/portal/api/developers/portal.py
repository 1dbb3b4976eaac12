"""`/api/v3/portal`."""

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Guest
from kong_app_auth.portal.contract.accounts import PortalContext
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.views.accounts import portal_context

routes = router("/api/v3/portal", "Portal")


@routes.get("")
def get_portal_context(access: Guest) -> PortalContext:
    """`get-portal-context`."""
    with access.read() as tx:
        return portal_context(the_portal(tx, access.portal.id), tx.configuration)
