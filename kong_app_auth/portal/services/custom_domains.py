"""The host name that an operator gives a portal, beside the one that it has from the start."""

from urllib.parse import urlsplit

from sqlalchemy import or_, select

from kong_app_auth.portal.contract.custom_domain import SetDomain
from kong_app_auth.portal.errors import Conflict, NotFound, invalid
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.transaction import Transaction


def domain_of(tx: Transaction, portal_id: str) -> str:
    """Give a portal's own host name. Raises NotFound where there is none."""
    hostname = the_portal(tx, portal_id).custom_domain
    if hostname is None:
        raise NotFound("This portal has no custom domain")
    return hostname


def put(tx: Transaction, portal_id: str, wanted: SetDomain) -> str:
    """Give a portal a host name. Raises NotFound, Invalid; Conflict where another portal has it, in any region."""
    portal = the_portal(tx, portal_id)
    hostname = wanted.hostname
    ours = (urlsplit(tx.configuration.public_url).hostname or "", tx.configuration.portal_domain)
    # Under these names other portals are found, and this server itself.
    if hostname in ours or hostname.endswith(f".{tx.configuration.portal_domain}"):
        raise invalid("hostname", "is a name of this server's own")
    taken = select(Portal.id).where(
        or_(Portal.custom_domain == hostname, Portal.default_domain == hostname), Portal.id != portal.id
    )
    if tx.session.scalar(taken) is not None:
        raise Conflict("Another portal has this host name")
    portal.custom_domain = hostname
    tx.session.flush()
    return hostname


def remove(tx: Transaction, portal_id: str) -> None:
    """Take a portal's own host name away. Raises NotFound where there is none."""
    domain_of(tx, portal_id)
    the_portal(tx, portal_id).custom_domain = None
    tx.session.flush()
