"""Implementations: what an API is linked to at the gateway."""

from typing import Annotated, Any

from kong_app_auth.portal.contract.common import Input, Moment, NotNull, Output, UuidText


class ServiceReference(Input):
    """A Gateway Service."""

    control_plane_id: UuidText
    id: UuidText


class ControlPlaneReference(Input):
    """A control plane."""

    control_plane_id: UuidText


class CreateImplementation(Input):
    """The body of `create-api-implementation`: a service or a control plane, one of the two."""

    service: Annotated[ServiceReference | None, NotNull] = None
    control_plane: Annotated[ControlPlaneReference | None, NotNull] = None


class ServiceView(Output):
    """A Gateway Service, and why the plugin cannot be put on it, if it cannot."""

    control_plane_id: str
    id: str
    auth_strategy_sync_error: dict[str, Any] | None


class ControlPlaneView(Output):
    """A control plane. Its routes are not known here, so access control is not enforced by it."""

    control_plane_id: str
    access_control_enforcement_enabled: bool


class ImplementationView(Output):
    """An implementation; it has a service or a control plane."""

    id: str
    created_at: Moment
    updated_at: Moment
    service: ServiceView | None = None
    control_plane: ControlPlaneView | None = None


class ImplementationOfApi(ImplementationView):
    """An implementation in the list of all."""

    api_id: str
