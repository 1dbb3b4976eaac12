"""Where the audit log is posted to: destinations, the webhooks of portals, and the subscriptions that follow from both.

What is disabled hears nothing, and begins with what happens next when it is enabled again. What was turned off for its
failures goes on where it stopped as soon as somebody says `enabled: true`, so nothing is lost.
"""

import secrets
from typing import Final

from sqlalchemy import Select, exists, select

from kong_app_auth.portal.contract.audit import CreateDestination, UpdateDestination, UpdateWebhook
from kong_app_auth.portal.errors import Conflict, Invalid, InvalidParameter, NotFound, invalid
from kong_app_auth.portal.services import audit_log
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store.audit import AuditLogDestination, AuditLogSubscription
from kong_app_auth.portal.store.portals import Portal, PortalAuditLogWebhook
from kong_app_auth.portal.transaction import Transaction

PREFIX: Final = "whsec_"
"""What signing secrets begin with."""
MAX_DESTINATIONS: Final = 50
"""In a region."""


def all_destinations(tx: Transaction) -> Select[AuditLogDestination]:
    """Select the destinations of the caller's region."""
    return select(AuditLogDestination).where(AuditLogDestination.region == tx.region)


def the_destination(tx: Transaction, destination_id: str) -> AuditLogDestination:
    """Give a destination of the caller's region. Raises NotFound."""
    found = tx.find(AuditLogDestination, destination_id)
    if found is None or found.region != tx.region:
        raise NotFound("Audit log destination not found")
    return found


def create(tx: Transaction, wanted: CreateDestination) -> tuple[AuditLogDestination, str]:
    """Make a destination; give it and the secret that signs what is posted there. Raises Invalid, Conflict."""
    _check_name(tx, wanted.name, None)
    if len(tx.session.scalars(all_destinations(tx)).all()) >= MAX_DESTINATIONS:
        raise Conflict(f"A region has at most {MAX_DESTINATIONS} audit log destinations")
    secret = _new_secret()
    destination = AuditLogDestination(
        region=tx.region,
        name=wanted.name,
        endpoint=wanted.endpoint,
        enabled=wanted.enabled,
        all_portals=wanted.all_portals,
        secret=tx.vault.seal(secret),
    )
    tx.session.add(destination)
    tx.session.flush()
    _arrange(tx)
    tx.session.expire(destination, ["subscriptions"])
    return destination, secret


def update(tx: Transaction, destination_id: str, wanted: UpdateDestination) -> AuditLogDestination:
    """Change what `wanted` names. Raises NotFound, Invalid."""
    destination = the_destination(tx, destination_id)
    if "name" in wanted.model_fields_set:
        _check_name(tx, wanted.name, destination)
    for name, value in wanted.given("name", "endpoint", "enabled", "all_portals").items():
        setattr(destination, name, value)
    tx.session.flush()
    _arrange(tx)
    tx.session.expire(destination, ["subscriptions"])
    if {"enabled", "endpoint"} & wanted.model_fields_set:
        for subscription in destination.subscriptions:
            _turn_on(subscription)
        tx.session.flush()
    return destination


def replace_secret(tx: Transaction, destination_id: str) -> tuple[AuditLogDestination, str]:
    """Sign with a new secret from now on; give it. Raises NotFound."""
    destination = the_destination(tx, destination_id)
    secret = _new_secret()
    destination.secret = tx.vault.seal(secret)
    tx.session.flush()
    return destination, secret


def delete(tx: Transaction, destination_id: str) -> None:
    """Delete a destination. Raises NotFound; Conflict while the webhook of a portal names it."""
    destination = the_destination(tx, destination_id)
    named = exists().where(PortalAuditLogWebhook.audit_log_destination_id == destination.id)
    if tx.session.scalar(select(named)):
        raise Conflict("The webhook of a portal uses this destination")
    tx.session.delete(destination)
    tx.session.flush()


def the_webhook(tx: Transaction, portal_id: str) -> PortalAuditLogWebhook | None:
    """Give the webhook of a portal of the caller's region; None where nobody has set one up. Raises NotFound."""
    return the_portal(tx, portal_id).audit_log_webhook


def update_webhook(tx: Transaction, portal_id: str, wanted: UpdateWebhook) -> PortalAuditLogWebhook:
    """Set up the webhook of a portal. Raises NotFound, Invalid."""
    portal = the_portal(tx, portal_id)
    webhook = portal.audit_log_webhook
    if webhook is None:
        webhook = portal.audit_log_webhook = PortalAuditLogWebhook(portal_id=portal.id, enabled=False)
    if "audit_log_destination_id" in wanted.model_fields_set:
        try:
            destination = the_destination(tx, wanted.audit_log_destination_id)
        except NotFound:
            raise invalid("audit_log_destination_id", "is no audit log destination", "missing_reference") from None
        webhook.audit_log_destination_id = destination.id
    if "enabled" in wanted.model_fields_set:
        webhook.enabled = wanted.enabled
    if webhook.enabled and webhook.audit_log_destination_id is None:
        raise Invalid(
            InvalidParameter(
                field="enabled",
                reason="needs an audit_log_destination_id",
                rule="dependent_fields",
                dependents=("audit_log_destination_id",),
            )
        )
    tx.session.flush()
    _arrange(tx)
    if "enabled" in wanted.model_fields_set and (subscription := subscription_of(tx, webhook)) is not None:
        _turn_on(subscription)
        tx.session.flush()
    return webhook


def remove_webhook(tx: Transaction, portal_id: str) -> None:
    """Let a portal's audit log go nowhere any more. Raises NotFound."""
    webhook = the_webhook(tx, portal_id)
    if webhook is not None:
        webhook.enabled = False
        webhook.audit_log_destination_id = None
        tx.session.flush()
        _arrange(tx)


def subscription_of(tx: Transaction, webhook: PortalAuditLogWebhook | None) -> AuditLogSubscription | None:
    """Give what a portal's webhook hears by: its own subscription, or its destination's to the whole region."""
    if webhook is None or not webhook.enabled:
        return None
    return tx.session.scalar(
        select(AuditLogSubscription)
        .where(
            AuditLogSubscription.destination_id == webhook.audit_log_destination_id,
            (AuditLogSubscription.portal_id == webhook.portal_id) | AuditLogSubscription.portal_id.is_(None),
        )
        .limit(1)
    )


def _arrange(tx: Transaction) -> None:
    """Let there be a subscription for all that should hear, from now on, and none for what should not."""
    everything = select(AuditLogDestination.id).where(
        AuditLogDestination.region == tx.region,
        AuditLogDestination.enabled.is_(True),
        AuditLogDestination.all_portals.is_(True),
    )
    # A destination that hears of the whole region hears of its portals once, not twice.
    of_portals = (
        select(AuditLogDestination.id, PortalAuditLogWebhook.portal_id)
        .join(PortalAuditLogWebhook, PortalAuditLogWebhook.audit_log_destination_id == AuditLogDestination.id)
        .join(Portal, Portal.id == PortalAuditLogWebhook.portal_id)
        .where(
            Portal.region == tx.region,
            PortalAuditLogWebhook.enabled.is_(True),
            AuditLogDestination.enabled.is_(True),
            AuditLogDestination.all_portals.is_(False),
        )
    )
    wanted: set[tuple[str, str | None]] = {(one, None) for one in tx.session.scalars(everything)}
    wanted |= {(destination_id, portal_id) for destination_id, portal_id in tx.session.execute(of_portals)}
    here = select(AuditLogSubscription).where(AuditLogSubscription.region == tx.region)
    for subscription in tx.session.scalars(here).all():
        key = (subscription.destination_id, subscription.portal_id)
        if key in wanted:
            wanted.remove(key)
        else:
            tx.session.delete(subscription)
    position = audit_log.last_number(tx) if wanted else 0
    for destination_id, portal_id in wanted:
        tx.session.add(
            AuditLogSubscription(
                region=tx.region, destination_id=destination_id, portal_id=portal_id, position=position
            )
        )
    tx.session.flush()


def _turn_on(subscription: AuditLogSubscription) -> None:
    subscription.off_since = subscription.next_attempt_at = None
    subscription.failures = 0


def _check_name(tx: Transaction, name: str, own: AuditLogDestination | None) -> None:
    known = tx.session.scalar(all_destinations(tx).where(AuditLogDestination.name == name))
    if known is not None and known is not own:
        raise invalid("name", "is the name of another audit log destination")


def _new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(32)
