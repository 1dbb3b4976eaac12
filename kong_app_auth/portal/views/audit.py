"""The audit log and where it is posted to, as operators see them."""

from datetime import UTC, datetime

from kong_app_auth.portal.contract.audit import (
    ActorView,
    DestinationView,
    EntryView,
    NewDestinationView,
    WebhookStatusView,
    WebhookView,
)
from kong_app_auth.portal.store.audit import AuditEntry, AuditLogDestination, AuditLogSubscription
from kong_app_auth.portal.store.portals import PortalAuditLogWebhook

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def entry_view(entry: AuditEntry) -> EntryView:
    """Give the answer for an entry; webhooks and the export send the same."""
    return EntryView(
        number=entry.number,
        at=entry.at,
        region=entry.region,
        portal_id=entry.portal_id,
        actor=ActorView(type=entry.actor_type, id=entry.actor_id, name=entry.actor_name),
        action=entry.action,
        entity_type=entry.entity_type,
        entity_id=entry.entity_id,
        before=entry.before,
        after=entry.after,
        request_id=entry.request_id,
    )


def destination_view(destination: AuditLogDestination) -> DestinationView:
    """Give the answer for a destination. The attempt is the last one of all its subscriptions."""
    subscriptions = destination.subscriptions
    last = max(subscriptions, key=lambda one: one.last_attempt_at or _LONG_AGO, default=None)
    active = bool(subscriptions) and all(one.off_since is None for one in subscriptions)
    return DestinationView(
        id=destination.id,
        created_at=destination.created_at,
        updated_at=destination.updated_at,
        name=destination.name,
        endpoint=destination.endpoint,
        enabled=destination.enabled,
        all_portals=destination.all_portals,
        status="active" if active else "inactive",
        last_attempt_at=None if last is None else last.last_attempt_at,
        last_response_code=None if last is None else last.last_response_code,
        last_response_message=None if last is None else last.last_response_message,
    )


def new_destination_view(destination: AuditLogDestination, secret: str) -> NewDestinationView:
    """Give the answer for a destination with a new secret."""
    return NewDestinationView(**destination_view(destination).model_dump(), secret=secret)


def webhook_view(webhook: PortalAuditLogWebhook | None) -> WebhookView:
    """Give the answer for a portal's webhook, set up or not."""
    view = WebhookView(enabled=webhook is not None and webhook.enabled)
    if webhook is not None and webhook.audit_log_destination_id is not None:
        view.audit_log_destination_id = webhook.audit_log_destination_id
    return view


def webhook_status_view(
    webhook: PortalAuditLogWebhook | None, subscription: AuditLogSubscription | None
) -> WebhookStatusView:
    """Give the answer for the state of a portal's webhook."""
    active = subscription is not None and subscription.off_since is None
    view = WebhookStatusView(
        webhook_status="active" if active else "inactive", webhook_enabled=webhook is not None and webhook.enabled
    )
    if subscription is not None and subscription.last_attempt_at is not None:
        view.last_attempt_at = subscription.last_attempt_at
        if subscription.last_response_code is not None:
            view.last_response_code = subscription.last_response_code
        if subscription.last_response_message is not None:
            view.last_response_message = subscription.last_response_message
    return view
