"""The gateway nodes of a region, as operators see them."""

from collections.abc import Iterable
from datetime import datetime

from kong_app_auth.portal.contract.gateway_nodes import GatewayNodesView, GatewayNodeView
from kong_app_auth.portal.services.region_health import state_of
from kong_app_auth.portal.store.nodes import GatewayNode


def gateway_nodes_view(nodes: Iterable[GatewayNode], now: datetime) -> GatewayNodesView:
    """Give the answer for all of a region's nodes."""
    return GatewayNodesView(
        data=[
            GatewayNodeView(
                name=one.name,
                state=state_of(one, now).value,
                seq=one.seq,
                behind=one.behind,
                age=one.age,
                reported_at=one.reported_at,
            )
            for one in nodes
        ]
    )
