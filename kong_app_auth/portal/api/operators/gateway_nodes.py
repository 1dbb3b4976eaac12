"""`/v3/gateway-nodes`: beyond Konnect."""

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Reader
from kong_app_auth.portal.contract.gateway_nodes import GatewayNodesView
from kong_app_auth.portal.services import region_health
from kong_app_auth.portal.views.gateway_nodes import gateway_nodes_view

routes = router("/v3/gateway-nodes", "Gateway nodes")


@routes.get("")
def list_gateway_nodes(access: Reader) -> GatewayNodesView:
    """The region's gateway nodes, and how far each is behind."""
    with access.read() as tx:
        return gateway_nodes_view(region_health.nodes(tx), tx.now)
