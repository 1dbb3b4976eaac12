"""`/v3/audit-log`, `/v3/audit-log-destinations` and `/v3/portals/{portal_id}/audit-log-webhook`."""

from collections.abc import Iterator
from typing import Annotated, Final

from fastapi import Depends
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import selectinload

from kong_app_auth.portal.api.listing import Field, FieldKind, Listing, Query
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Access, Reader, Writer
from kong_app_auth.portal.contract.audit import (
    CreateDestination,
    DestinationView,
    EntryView,
    NewDestinationView,
    UpdateDestination,
    UpdateWebhook,
    WebhookStatusView,
    WebhookView,
)
from kong_app_auth.portal.contract.common import ListOf
from kong_app_auth.portal.services import audit_log, destinations
from kong_app_auth.portal.store.audit import AuditEntry, AuditLogDestination
from kong_app_auth.portal.views.audit import (
    destination_view,
    entry_view,
    new_destination_view,
    webhook_status_view,
    webhook_view,
)

log_routes = router("/v3/audit-log", "Audit Log")
destination_routes = router("/v3/audit-log-destinations", "Audit Log")
webhook_routes = router("/v3/portals/{portal_id}/audit-log-webhook", "Portal Audit Logs")

BATCH: Final = 500
"""Entries that an export holds in memory at a time."""

_FILTERS: Final = {
    "portal_id": Field(AuditEntry.portal_id, FieldKind.UUID),
    "actor_type": Field(AuditEntry.actor_type),
    "actor_id": Field(AuditEntry.actor_id, FieldKind.UUID),
    "actor_name": Field(AuditEntry.actor_name),
    "action": Field(AuditEntry.action),
    "entity_type": Field(AuditEntry.entity_type),
    "entity_id": Field(AuditEntry.entity_id),
    "request_id": Field(AuditEntry.request_id),
    "at": Field(AuditEntry.at, FieldKind.TIME),
}
_LOG = Listing(tie=AuditEntry.number.desc(), filters=_FILTERS)
_DESTINATIONS = Listing(
    tie=AuditLogDestination.id,
    default=(AuditLogDestination.created_at,),
    filters={
        "name": Field(AuditLogDestination.name),
        "enabled": Field(AuditLogDestination.enabled, FieldKind.BOOLEAN),
        "all_portals": Field(AuditLogDestination.all_portals, FieldKind.BOOLEAN),
    },
    sorts={"name": AuditLogDestination.name, "created_at": AuditLogDestination.created_at},
)


@log_routes.get("")
def list_entries(access: Reader, query: Annotated[Query, Depends(_LOG)]) -> ListOf[EntryView]:
    """Who did what in this region, newest first."""
    with access.read() as tx:
        return query.page(tx, audit_log.all_entries(tx), entry_view)


@log_routes.get("/export", response_class=StreamingResponse)
def export_entries(access: Reader, query: Annotated[Query, Depends(_LOG)]) -> StreamingResponse:
    """Everything that the filters let through, oldest first, one JSON object a line. Pages do not count here."""
    with access.read() as tx:
        until = audit_log.last_number(tx)
    headers = {"Content-Disposition": 'attachment; filename="audit-log.ndjson"', "Cache-Control": "no-store"}
    return StreamingResponse(_lines(access, query, until), media_type="application/x-ndjson", headers=headers)


def _lines(access: Access, query: Query, until: int) -> Iterator[str]:
    # A transaction a batch: a client that reads slowly holds neither a connection nor an old state of the database.
    after = 0
    while True:
        with access.read() as tx:
            found = audit_log.batch(tx, query.conditions, after, until, BATCH)
            lines = "".join(f"{entry_view(entry).model_dump_json()}\n" for entry in found)
        if not found:
            return
        yield lines
        after = found[-1].number


@destination_routes.get("")
def list_destinations(access: Reader, query: Annotated[Query, Depends(_DESTINATIONS)]) -> ListOf[DestinationView]:
    """Where audit entries of this region are posted to."""
    with access.read() as tx:
        statement = destinations.all_destinations(tx).options(selectinload(AuditLogDestination.subscriptions))
        return query.page(tx, statement, destination_view)


@destination_routes.post("", status_code=201)
def create_destination(access: Writer, wanted: CreateDestination) -> NewDestinationView:
    """Make a destination. The answer has its signing secret, this once."""
    with access.write() as tx:
        return new_destination_view(*destinations.create(tx, wanted))


@destination_routes.get("/{destination_id}")
def get_destination(access: Reader, destination_id: str) -> DestinationView:
    """Look at one."""
    with access.read() as tx:
        return destination_view(destinations.the_destination(tx, destination_id))


@destination_routes.patch("/{destination_id}")
def update_destination(access: Writer, destination_id: str, wanted: UpdateDestination) -> DestinationView:
    """Change one; `enabled: true` also turns on again what was turned off for its failures."""
    with access.write() as tx:
        return destination_view(destinations.update(tx, destination_id, wanted))


@destination_routes.post("/{destination_id}/regenerate-secret")
def regenerate_secret(access: Writer, destination_id: str) -> NewDestinationView:
    """Sign with a new secret from now on. The answer has it, this once."""
    with access.write() as tx:
        return new_destination_view(*destinations.replace_secret(tx, destination_id))


@destination_routes.delete("/{destination_id}", status_code=204)
def delete_destination(access: Writer, destination_id: str) -> None:
    """Delete one."""
    with access.write() as tx:
        destinations.delete(tx, destination_id)


@webhook_routes.get("")
def get_webhook(access: Reader, portal_id: str) -> WebhookView:
    """`get-portal-audit-log-webhook`."""
    with access.read() as tx:
        return webhook_view(destinations.the_webhook(tx, portal_id))


@webhook_routes.patch("")
def update_webhook(access: Writer, portal_id: str, wanted: UpdateWebhook) -> WebhookView:
    """`update-portal-audit-log-webhook`."""
    with access.write() as tx:
        return webhook_view(destinations.update_webhook(tx, portal_id, wanted))


@webhook_routes.delete("", status_code=204)
def delete_webhook(access: Writer, portal_id: str) -> None:
    """`delete-portal-audit-log-webhook`."""
    with access.write() as tx:
        destinations.remove_webhook(tx, portal_id)


@webhook_routes.get("/status")
def get_webhook_status(access: Reader, portal_id: str) -> WebhookStatusView:
    """`get-portal-audit-log-webhook-status`."""
    with access.read() as tx:
        webhook = destinations.the_webhook(tx, portal_id)
        return webhook_status_view(webhook, destinations.subscription_of(tx, webhook))
