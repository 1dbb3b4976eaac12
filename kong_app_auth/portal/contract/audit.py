"""The audit log (`/v3/audit-log`), its destinations, and the webhook of a portal."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from kong_app_auth.portal.contract.common import Input, Moment, Output, UuidText
from kong_app_auth.portal.contract.urls import Endpoint

Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
WebhookStatus = Literal["active", "inactive"]


class ActorView(Output):
    """Who did it: operator (its token), developer, anonymous or system."""

    type: str
    id: str | None
    name: str | None


class EntryView(Output):
    """An entry of the audit log. `number` grows with each entry of a region; there may be gaps."""

    number: int
    at: Moment
    region: str
    portal_id: str | None
    actor: ActorView
    action: str
    entity_type: str
    entity_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    request_id: str


class CreateDestination(Input):
    """The body of `POST /v3/audit-log-destinations`."""

    name: Name
    endpoint: Endpoint
    enabled: bool = True
    all_portals: bool = False


class UpdateDestination(Input):
    """The body of `PATCH /v3/audit-log-destinations/{id}`. What is left out stays as it is."""

    name: Name = ""
    endpoint: Endpoint = ""
    enabled: bool = True
    all_portals: bool = False


class DestinationView(Output):
    """A destination. `status` inactive: it was turned off after too many failures, or nothing is sent to it."""

    id: str
    created_at: Moment
    updated_at: Moment
    name: str
    endpoint: str
    enabled: bool
    all_portals: bool
    status: WebhookStatus
    last_attempt_at: Moment | None
    last_response_code: int | None
    last_response_message: str | None


class NewDestinationView(DestinationView):
    """A destination with the secret that signs what is posted to it. It is shown this once."""

    secret: Annotated[str, Field(repr=False)]


class UpdateWebhook(Input):
    """The body of `update-portal-audit-log-webhook`. What is left out stays as it is."""

    enabled: bool = False
    audit_log_destination_id: UuidText = ""


class WebhookView(Output):
    """Where a portal's audit log goes."""

    enabled: bool
    audit_log_destination_id: str = ""


class WebhookStatusView(Output):
    """How a portal's webhook does. The last attempt is there once there was one."""

    webhook_status: WebhookStatus
    webhook_enabled: bool
    last_attempt_at: Moment | None = None
    last_response_code: int = 0
    last_response_message: str = ""
