"""The Kongs of a region, as operators see them."""

from collections.abc import Iterable, Mapping, Sequence

from kong_app_auth.portal.contract.kong_gateways import (
    KongGatewaysView,
    KongGatewayView,
    KongServiceView,
    ServiceErrorView,
)
from kong_app_auth.portal.store.kong import KongGateway, KongService


def kong_gateways_view(
    gateways: Sequence[KongGateway],
    states: Mapping[str, int],
    not_enforced: Iterable[tuple[KongService, str | None]],
) -> KongGatewaysView:
    """Give the answer for all of a region's Kongs."""
    return KongGatewaysView(
        gateways=[
            KongGatewayView(
                name=one.name,
                mode=one.mode,
                on_unlink=one.on_unlink,
                error=one.error,
                drift=one.drift,
                checked_at=one.checked_at,
                reported_at=one.reported_at,
            )
            for one in gateways
        ],
        services=dict(states),
        not_enforced=[
            KongServiceView(
                service_id=service.service_id,
                api_id=api_id,
                state=service.state,
                error=None if service.error is None else ServiceErrorView(**service.error),
            )
            for service, api_id in not_enforced
        ],
    )
