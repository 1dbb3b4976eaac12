"""The jobs of a portal's background."""

from datetime import timedelta

from kong_app_auth.portal import retention
from kong_app_auth.portal.audit.delivery import deliver_due
from kong_app_auth.portal.background import Job
from kong_app_auth.portal.feed import retention as feed_retention
from kong_app_auth.portal.mail.expiry import warn_of_expiring_keys
from kong_app_auth.portal.mail.outbox import send_due
from kong_app_auth.portal.services.dcr_agreement import agree_due


def jobs() -> tuple[Job, ...]:
    """All of them. What does not matter to the second is not looked at every second."""
    return (
        Job("mail", timedelta(seconds=1), send_due),
        Job("audit-webhooks", timedelta(seconds=1), deliver_due),
        Job("oauth-clients", timedelta(seconds=1), agree_due),
        Job("key-expiry", timedelta(minutes=10), warn_of_expiring_keys),
        Job("feed-retention", timedelta(minutes=10), feed_retention.prune),
        Job("retention", timedelta(minutes=10), retention.prune),
    )
