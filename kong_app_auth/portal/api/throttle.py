"""Rate limits of routes: by the address that a request comes from, by the account that it is about, and by both."""

from datetime import timedelta
from typing import Final

from kong_app_auth.portal.api.client_address import client_address, counted_as
from kong_app_auth.portal.api.security import Access, PortalAccess
from kong_app_auth.portal.contract.emails import email_key
from kong_app_auth.portal.services import rate_limits
from kong_app_auth.portal.services.rate_limits import Limit

_SHORT: Final = timedelta(minutes=15)
_LONG: Final = timedelta(hours=1)
SIGN_INS_OF_ADDRESS: Final = 60
SIGN_INS_OF_BOTH: Final = 10
SIGN_INS_OF_ACCOUNT: Final = 100
"""From everywhere together: high, because with it a stranger can keep an owner out."""
MAILS_OF_ADDRESS: Final = 30
MAILS_OF_ACCOUNT: Final = 5
TOKENS_OF_ADDRESS: Final = 60
PASSWORDS_OF_ACCOUNT: Final = 10


def throttle(access: Access, *limits: Limit) -> None:
    """Count a request, or raise TooManyRequests. What is refused anyway does not keep writers waiting."""
    with access.read() as tx:
        rate_limits.look(tx, *limits)
    with access.write() as tx:
        rate_limits.count(tx, *limits)


def sign_in_limits(access: PortalAccess, email: str) -> tuple[Limit, ...]:
    """How often a sign-in may be tried."""
    account, caller = _account(access, email), _caller(access)
    return (
        Limit("sign_in_address", caller, SIGN_INS_OF_ADDRESS, _SHORT),
        Limit("sign_in_account", account, SIGN_INS_OF_ACCOUNT, _LONG),
        Limit("sign_in_both", f"{caller} {account}", SIGN_INS_OF_BOTH, _SHORT),
    )


def oidc_limits(access: PortalAccess) -> tuple[Limit, ...]:
    """How often somebody may come back from an identity provider."""
    return (Limit("sign_in_address", _caller(access), SIGN_INS_OF_ADDRESS, _SHORT),)


def mail_limits(access: PortalAccess, kind: str, email: str) -> tuple[Limit, ...]:
    """How often a stranger may have mail sent: `kind` is sign_up or reset."""
    return (
        Limit(f"{kind}_address", _caller(access), MAILS_OF_ADDRESS, _LONG),
        Limit(f"{kind}_account", _account(access, email), MAILS_OF_ACCOUNT, _LONG),
    )


def token_limits(access: PortalAccess) -> tuple[Limit, ...]:
    """How often one-time tokens may be tried."""
    return (Limit("one_time_token", _caller(access), TOKENS_OF_ADDRESS, _SHORT),)


def password_limits(access: PortalAccess) -> tuple[Limit, ...]:
    """How often somebody who is signed in may try the own password."""
    return (Limit("own_password", access.developer_id, PASSWORDS_OF_ACCOUNT, _SHORT),)


def _caller(access: Access) -> str:
    return counted_as(client_address(access.request, access.plane.configuration.trusted_proxies))


def _account(access: PortalAccess, email: str) -> str:
    return f"{access.portal.id} {email_key(email)}"
