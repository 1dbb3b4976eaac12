"""`/v3/kong-gateways`: beyond Konnect."""

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Reader
from kong_app_auth.portal.contract.kong_gateways import KongGatewaysView
from kong_app_auth.portal.services import kong_gateways
from kong_app_auth.portal.views.kong_gateways import kong_gateways_view

routes = router("/v3/kong-gateways", "Kong gateways")


@routes.get("")
def list_kong_gateways(access: Reader) -> KongGatewaysView:
    """The region's Kongs, and the Gateway Services that the plugin is not on as it shall be."""
    with access.read() as tx:
        return kong_gateways_view(
            kong_gateways.gateways(tx), kong_gateways.counted_states(tx), kong_gateways.not_enforced(tx)
        )
