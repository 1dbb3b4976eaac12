"""Signing in by the portal's OpenID Connect provider.

The work is split, because a provider is not asked inside a transaction: `way_in`, then the provider's page; and when
the browser comes back `oidc_attempts.come_back`, `way_in` again, `SignInProviders.redeem`, and `sign_in`.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from kong_app_auth.oidc.sign_in import Client
from kong_app_auth.portal.contract.emails import email_key
from kong_app_auth.portal.mail import notices
from kong_app_auth.portal.services import accounts, identities, identity_providers, sessions, team_group_mappings
from kong_app_auth.portal.services.oidc_person import Person, wanted_claims
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.services.sessions import Tokens
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.portals import IdentityProvider, Portal
from kong_app_auth.portal.transaction import Deed, Transaction
from kong_app_auth.portal.vault import Sealed


class Obstacle(StrEnum):
    """Why somebody is not signed in. Browsers bring it to the sign-in page as `error`."""

    NOT_AVAILABLE = "not_available"
    """The portal has no provider that is enabled, or its client's secret cannot be opened."""
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    EXPIRED = "expired"
    """The attempt is not this browser's, not this portal's, older than ten minutes, or was used already."""
    CANCELLED = "cancelled"
    """The person or the provider said no."""
    REFUSED = "refused"
    """What the provider answered is an error, or not to be believed."""
    NO_EMAIL = "no_email"
    EMAIL_TAKEN = "email_taken"
    """The address has an account that this person is not known to own."""
    NOT_APPROVED = "not_approved"
    TOO_MANY = "too_many"


class WayIn(msgspec.Struct, frozen=True):
    """How developers of a portal sign in. `mappings`: which claim is what; `wanted`: the claims that are needed."""

    provider_id: str
    client: Client
    scopes: tuple[str, ...]
    mappings: Mapping[str, str]
    wanted: tuple[str, ...]


def way_in(tx: Transaction, portal_id: str) -> WayIn | Obstacle:
    """Give the way into a portal. Raises NotFound."""
    portal = the_portal(tx, portal_id)
    provider = _enabled(tx, portal)
    if provider is None:
        return Obstacle.NOT_AVAILABLE
    config = provider.config
    try:
        secret = None if provider.secret is None else tx.vault.open(provider.secret)
    except Sealed:
        return Obstacle.NOT_AVAILABLE
    return WayIn(
        provider_id=provider.id,
        client=Client(config["issuer_url"], config["client_id"], secret),
        scopes=tuple(config["scopes"]),
        mappings=config["claim_mappings"],
        wanted=wanted_claims(config["claim_mappings"], with_groups=portal.authentication.idp_mapping_enabled),
    )


def sign_in(tx: Transaction, portal_id: str, person: Person, device: str | None) -> Tokens | Obstacle:
    """Begin a session for somebody whom the provider vouches for. What is refused is on the record: commit it.

    Whoever is not known yet becomes a developer, approved at once where the portal approves by itself.
    """
    portal = the_portal(tx, portal_id)
    provider = _enabled(tx, portal)
    if provider is None:
        return Obstacle.NOT_AVAILABLE
    found = identities.owner(tx, portal.id, person.issuer, person.subject) or _new(tx, portal, person)
    if isinstance(found, Obstacle):
        return _refused(tx, found, None)
    if found.status != "approved":
        return _refused(tx, Obstacle.NOT_APPROVED, found.id)
    if portal.authentication.idp_mapping_enabled:
        team_group_mappings.apply(tx, provider, found.id, person.groups)
    tx.note(Deed("sign_in", "developer", found.id, details={"by": "oidc"}))
    return sessions.begin(tx, found, device)


def _enabled(tx: Transaction, portal: Portal) -> IdentityProvider | None:
    if not portal.authentication_enabled:
        return None
    provider = identity_providers.of_type(tx, portal, "oidc")
    return provider if provider is not None and provider.enabled else None


def _new(tx: Transaction, portal: Portal, person: Person) -> Developer | Obstacle:
    """Make a developer of somebody whom nobody here knows by this identity, or find the account that is theirs."""
    if person.email is None:
        return Obstacle.NO_EMAIL
    developer = accounts.by_email(tx, portal.id, person.email)
    if developer is None:
        developer = _made(tx, portal, person, person.email)
    elif not person.verified or _is_anothers(tx, developer, person.issuer):
        return Obstacle.EMAIL_TAKEN
    else:
        accounts.confirmed(tx, portal, developer)
    identities.link(tx, developer, person.issuer, person.subject)
    return developer


def _is_anothers(tx: Transaction, developer: Developer, issuer: str) -> bool:
    """Say whether an account has an owner already, who may be another than the one to whom its address belongs now.

    Providers give addresses of people who left to new ones; and an address that nobody has confirmed may be anybody's.
    """
    return identities.has_any(tx, developer.id, None if developer.email_verified_at is None else issuer)


def _made(tx: Transaction, portal: Portal, person: Person, email: str) -> Developer:
    developer = Developer(
        portal_id=portal.id,
        email=email,
        email_key=email_key(email),
        full_name=person.name,
        status="approved" if portal.auto_approve_developers else "pending",
        email_verified_at=tx.now if person.verified else None,
    )
    tx.session.add(developer)
    tx.session.flush()
    if developer.status == "pending":
        notices.developer_requested(tx, portal, developer)
    return developer


def _refused(tx: Transaction, obstacle: Obstacle, developer_id: str | None) -> Obstacle:
    tx.note(Deed("sign_in_failed", "developer", developer_id, details={"by": "oidc", "reason": obstacle.value}))
    return obstacle
