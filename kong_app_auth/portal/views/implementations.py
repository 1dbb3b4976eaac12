"""Implementations, as operators see them."""

from collections.abc import Mapping
from typing import Any, TypeVar

from kong_app_auth.portal.contract.implementations import (
    ControlPlaneView,
    ImplementationOfApi,
    ImplementationView,
    ServiceView,
)
from kong_app_auth.portal.store.apis import Implementation

View = TypeVar("View", bound=ImplementationView)


SyncErrors = Mapping[str, Mapping[str, Any]]
"""What is wrong at Gateway Services, by their ids."""


def implementation_view(implementation: Implementation, errors: SyncErrors) -> ImplementationView:
    """Give the answer for an implementation."""
    view = ImplementationView(
        id=implementation.id, created_at=implementation.created_at, updated_at=implementation.updated_at
    )
    return _linked(view, implementation, errors)


def implementation_of_api(implementation: Implementation, errors: SyncErrors) -> ImplementationOfApi:
    """Give an implementation as it stands in the list of all."""
    view = ImplementationOfApi(
        id=implementation.id,
        api_id=implementation.api_id,
        created_at=implementation.created_at,
        updated_at=implementation.updated_at,
    )
    return _linked(view, implementation, errors)


def _linked(view: View, implementation: Implementation, errors: SyncErrors) -> View:
    if implementation.service_id is None:
        view.control_plane = ControlPlaneView(
            control_plane_id=implementation.control_plane_id, access_control_enforcement_enabled=False
        )
    else:
        view.service = ServiceView(
            control_plane_id=implementation.control_plane_id,
            id=implementation.service_id,
            auth_strategy_sync_error=_sync_error(errors.get(implementation.service_id)),
        )
    return view


def _sync_error(error: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Write an error as Konnect's `AuthStrategyApiSyncError`; the Kong where it is stands in `info`."""
    if error is None:
        return None
    return {
        "control_plane_error": error["code"],
        "message": error["message"],
        "info": {"details": [{"type": "gateway", "message": [error["gateway"]]}]},
    }
