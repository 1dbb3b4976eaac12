"""The records of OAuth clients at DCR providers, each step inside one transaction.

A provider is asked outside of transactions, in three steps: `hold` the client and write down what the provider may have
wrong from now on; ask; `take_up` the client again, write down what came of it and `release` it. Whoever dies in between
leaves a client whose lease ends: then `dcr_agreement` makes the provider agree with the portal's records.
"""

from datetime import timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Select, select

from kong_app_auth.oidc.dcr.provider import (
    ClientRequest,
    Event,
    EventType,
    Provider,
    RegisteredClient,
    Registration,
)
from kong_app_auth.portal.errors import Unavailable
from kong_app_auth.portal.oauth_clients import owe
from kong_app_auth.portal.services.dcr_failures import BUSY
from kong_app_auth.portal.store import ids
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.base import new_id
from kong_app_auth.portal.store.clients import ClientSecret, OAuthClient
from kong_app_auth.portal.store.strategies import DcrProvider
from kong_app_auth.portal.transaction import Transaction

LEASE: Final = timedelta(minutes=3)
"""Longer than a provider can be waited for."""
FIRST_DELAY: Final = timedelta(seconds=5)
LONGEST_DELAY: Final = timedelta(minutes=10)
SETTLING: Final = timedelta(minutes=1)
"""How long a request whose end we do not know may still be on its way."""
ORGANIZATION: Final = ids.NONE
"""What bridges are told as `organization_id`: there are no organizations here."""


class Held(msgspec.Struct, frozen=True):
    """A client whose lease the holder has, with what is needed to ask its provider."""

    id: str
    lease: str
    application_id: str
    provider_id: str
    provider: Provider
    client_id: str | None
    registration: Registration | None

    def __repr__(self) -> str:
        return f"Held({self.id})"


def client_of(tx: Transaction, application_id: str) -> OAuthClient | None:
    """Give the client of an application; None where its developer brought one, or it has API keys."""
    return tx.session.scalar(select(OAuthClient).where(OAuthClient.application_id == application_id))


def secrets_of(application: Application) -> Select[ClientSecret]:
    """Select the secrets of an application's client."""
    return (
        select(ClientSecret)
        .join(OAuthClient, OAuthClient.id == ClientSecret.oauth_client_id)
        .where(OAuthClient.application_id == application.id, ClientSecret.leaving.is_(False))
    )


def intend(tx: Transaction, application: Application, provider_record: DcrProvider) -> OAuthClient:
    """Write down that a client is wanted for an application that is not there yet, and hold it."""
    client = OAuthClient(
        region=tx.region,
        dcr_provider_id=provider_record.id,
        auth_strategy_id=application.auth_strategy.id,
        portal_id=application.portal_id,
        application_id=new_id(),
        name=application.name,
        owed=[],
        under_way=[],
    )
    _lease(tx, client)
    tx.session.add(client)
    tx.session.flush()
    return client


def hold(tx: Transaction, client: OAuthClient, provider: Provider, *owed: str) -> Held:
    """Take the lease of a client, and note what the provider may have wrong from now on.

    Raises Unavailable where somebody else has the lease.
    """
    if client.lease is not None and client.leased_until is not None and client.leased_until > tx.now:
        raise Unavailable(BUSY)
    _lease(tx, client)
    owe(client, *owed)
    tx.session.flush()
    return held(tx, client, provider)


def held(tx: Transaction, client: OAuthClient, provider: Provider) -> Held:
    """Give what the holder of the lease needs. Raises Sealed where the registration cannot be opened."""
    registration = None
    if client.registration is not None:
        registration = msgspec.json.decode(tx.vault.open(client.registration), type=Registration)
    return Held(
        id=client.id,
        lease=client.lease or "",
        application_id=client.application_id,
        provider_id=client.dcr_provider_id,
        provider=provider,
        client_id=client.client_id,
        registration=registration,
    )


def take_up(tx: Transaction, holder: Held) -> OAuthClient | None:
    """Give the client of a holder; None where the lease has passed to somebody else, or the client is gone."""
    client = tx.session.get(OAuthClient, holder.id)
    return client if client is not None and client.lease == holder.lease else None


def keep(tx: Transaction, client: OAuthClient, registered: RegisteredClient) -> None:
    """Write down how the provider lets us manage the client from now on."""
    keep_registration(tx, client, registered.registration)


def keep_registration(tx: Transaction, client: OAuthClient, registration: Registration | None) -> None:
    """Write down a rotated way to manage the client, in the place of the former one."""
    if registration is not None:
        client.registration = tx.vault.seal(msgspec.json.encode(registration).decode())


def keep_secret(tx: Transaction, client: OAuthClient, registered: RegisteredClient, name: str | None) -> ClientSecret:
    """Write down that the client has a secret, never what it is."""
    end = registered.secret_expires_at
    secret = ClientSecret(
        oauth_client_id=client.id,
        display_name=name,
        secret_id=registered.secret_id,
        expires_at=None if not end else _moment(tx, end),
    )
    tx.session.add(secret)
    tx.session.flush()
    return secret


def take_on(client: OAuthClient) -> list[str]:
    """Give what is owed, and note that it is being said from now on; what somebody left in the midst of it too."""
    client.under_way = [*dict.fromkeys([*client.under_way, *client.owed])]
    client.owed = []
    return list(client.under_way)


def settled(client: OAuthClient, word: str) -> None:
    """Note that the provider has been told, or will not hear of it."""
    client.under_way = [one for one in client.under_way if one != word]


def release(tx: Transaction, client: OAuthClient) -> None:
    """Give the lease back; what is still owed is due now."""
    client.lease = client.leased_until = None
    client.under_way = []
    gone = tx.session.get(Application, client.application_id) is None
    client.next_attempt_at = tx.now if gone or client.owed else None
    if client.next_attempt_at is None:
        client.attempts, client.problem = 0, None
    tx.session.flush()


def put_off(tx: Transaction, client: OAuthClient, problem: str, at_least: timedelta = timedelta(0)) -> None:
    """Give the lease back after a failure; what is owed is tried again later and later."""
    client.lease = client.leased_until = None
    client.owed, client.under_way = [*dict.fromkeys([*client.under_way, *client.owed])], []
    client.attempts += 1
    client.problem = problem[:255]
    delay: timedelta = FIRST_DELAY * 2 ** min(client.attempts - 1, 16)
    client.next_attempt_at = tx.now + max(min(delay, LONGEST_DELAY), min(at_least, LONGEST_DELAY))
    tx.session.flush()


def wanted(application: Application) -> ClientRequest:
    """Say what client an application is to have, as it is now."""
    strategy = application.auth_strategy
    scopes = list(strategy.config.get("scopes") or ())
    if chooses_scopes(strategy.dcr_provider):
        scopes = list(application.scopes)
    redirects = (application.redirect_uri,) if application.redirect_uri else ()
    return ClientRequest(
        reference=application.id,
        client_name=application.name,
        redirect_uris=redirects,
        grant_types=("authorization_code", "client_credentials") if redirects else ("client_credentials",),
        scopes=tuple(scopes),
        audiences=tuple(strategy.config.get("audience") or ()),
        application_description=application.description or "",
        portal_id=application.portal_id,
        organization_id=ORGANIZATION,
        developer_id=application.developer_id or "",
        auth_strategy_id=strategy.id,
        dcr_provider_id=strategy.dcr_provider_id or "",
    )


def event(application: Application, event_type: EventType, api_id: str | None = None) -> Event:
    """Say what the hooks of a provider are told."""
    return Event(
        event_type=event_type,
        application_id=application.id,
        application_name=application.name,
        application_description=application.description or "",
        portal_id=application.portal_id,
        organization_id=ORGANIZATION,
        developer_id=application.developer_id or "",
        api_id=api_id,
    )


def chooses_scopes(provider_record: DcrProvider | None) -> bool:
    """Say whether developers choose the scopes of their applications, by the provider's settings."""
    return provider_record is not None and provider_record.config.get("use_developer_managed_scopes") is True


def _lease(tx: Transaction, client: OAuthClient) -> None:
    client.lease = new_id()
    # Whoever finds it due after the end of the lease finds somebody's unfinished work.
    client.leased_until = client.next_attempt_at = tx.now + LEASE


def _moment(tx: Transaction, seconds: int) -> Any:
    try:
        return tx.now.fromtimestamp(seconds, tx.now.tzinfo)
    except (OverflowError, ValueError, OSError):
        return None  # so far away that no calendar has it
