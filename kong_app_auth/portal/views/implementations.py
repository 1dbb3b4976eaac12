"""Implementations, as operators see them."""

from typing import TypeVar

from kong_app_auth.portal.contract.implementations import (
    ControlPlaneView,
    ImplementationOfApi,
    ImplementationView,
    ServiceView,
)
from kong_app_auth.portal.store.apis import Implementation

View = TypeVar("View", bound=ImplementationView)


def implementation_view(implementation: Implementation) -> ImplementationView:
    """Give the answer for an implementation."""
    view = ImplementationView(
        id=implementation.id, created_at=implementation.created_at, updated_at=implementation.updated_at
    )
    return _linked(view, implementation)


def implementation_of_api(implementation: Implementation) -> ImplementationOfApi:
    """Give an implementation as it stands in the list of all."""
    view = ImplementationOfApi(
        id=implementation.id,
        api_id=implementation.api_id,
        created_at=implementation.created_at,
        updated_at=implementation.updated_at,
    )
    return _linked(view, implementation)


def _linked(view: View, implementation: Implementation) -> View:
    if implementation.service_id is None:
        view.control_plane = ControlPlaneView(
            control_plane_id=implementation.control_plane_id, access_control_enforcement_enabled=False
        )
    else:
        view.service = ServiceView(
            control_plane_id=implementation.control_plane_id,
            id=implementation.service_id,
            auth_strategy_sync_error=implementation.sync_error,
        )
    return view
