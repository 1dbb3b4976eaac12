"""The Kongs of a region: what their sync daemon says of them, and how operators see it. All beyond Konnect."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from kong_app_auth.portal.contract.common import Input, Moment, Output, UuidText

Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Mode = Literal["traditional", "db_less"]
OnUnlink = Literal["open", "block"]
State = Literal["enforced", "blocked", "pending", "failed"]
Code = Literal[
    "control_plane_error_no_response",
    "control_plane_error_invalid_response",
    "control_plane_error_unavailable",
    "control_plane_error_internal_error",
    "control_plane_error_bad_request",
    "control_plane_error_plugin_conflict",
    "control_plane_error_data_constraint_error",
    "control_plane_error_implementation_not_found",
]
"""Konnect's words for what goes wrong between it and a control plane (`AuthStrategyApiSyncError`)."""


class GatewayState(Input):
    """How a Kong is. `checked_at`: Unix time of the last pass that went well; `drift`: put back since the start."""

    name: Name
    mode: Mode
    on_unlink: OnUnlink
    error: Code | None = None
    checked_at: Annotated[int, Field(ge=0, le=2**40)] | None = None
    drift: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


class ServiceProblem(Input):
    """Why the plugin is not on a service as it shall be, and at which Kong."""

    code: Code
    message: Annotated[str, StringConstraints(max_length=512)]
    gateway: Name


class ServiceState(Input):
    """How the plugin stands on a Gateway Service."""

    id: UuidText
    state: State
    error: ServiceProblem | None = None


class KongStates(Input):
    """All that a daemon has to say: who is not in it any more has no state."""

    gateways: Annotated[list[GatewayState], Field(max_length=100)]
    services: Annotated[list[ServiceState], Field(max_length=20_000)]


class KongGatewayView(Output):
    """A Kong, as its daemon reported it last."""

    name: str
    mode: str
    on_unlink: str
    error: str | None
    drift: int
    checked_at: Moment | None
    reported_at: Moment


class ServiceErrorView(Output):
    """Why the plugin is not as it shall be."""

    code: str
    message: str
    gateway: str


class KongServiceView(Output):
    """A Gateway Service that something is the matter with."""

    service_id: str
    api_id: str | None
    state: str
    error: ServiceErrorView | None


class KongGatewaysView(Output):
    """The Kongs of the region; how many services are in each state; the first of those that are not enforced."""

    gateways: list[KongGatewayView]
    services: dict[str, int]
    not_enforced: list[KongServiceView]
