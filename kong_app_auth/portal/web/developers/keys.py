"""What the pages show of an application's keys, or of its OAuth client."""

from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import select

from kong_app_auth.portal.services import credentials, dcr_clients, dcr_credentials, registrations
from kong_app_auth.portal.store.apis import Api
from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.portal.store.clients import ClientSecret
from kong_app_auth.portal.store.credentials import Credential, CredentialUse
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.web.commands import token_request, with_key, with_token
from kong_app_auth.portal.web.developers.catalogue import Source, newest, read
from kong_app_auth.portal.web.sessions import PageAccess

SOON: Final = timedelta(days=14)
"""A key that ends so soon is shown as expiring."""


class Key(msgspec.Struct, frozen=True):
    """A key as its owner sees it. `state`: active, expiring, expired or revoked."""

    id: str
    name: str
    state: str
    active: bool
    made: datetime
    expires: datetime | None
    used: datetime | None


class ClientSecretLine(msgspec.Struct, frozen=True):
    """A secret of an OAuth client as its owner sees it: never the secret."""

    id: str
    name: str
    made: datetime
    expires: datetime | None


class ClientHelp(msgspec.Struct, frozen=True):
    """How an OAuth client gets a token and calls; `token_endpoint` None: it is not known."""

    token_endpoint: str | None
    discovery: str | None
    token_command: str | None
    call: str | None


def keys_of(tx: Transaction, application: Application) -> list[Key]:
    """Give all keys of an application, the newest first: there are at most some dozens."""
    ordered = credentials.credentials_of(application).order_by(Credential.created_at.desc(), Credential.id)
    found = tx.session.scalars(ordered).all()
    uses = select(CredentialUse).where(CredentialUse.credential_id.in_([one.id for one in found]))
    used = {one.credential_id: one.last_used_at for one in tx.session.scalars(uses)}
    keys: list[Key] = []
    for one in found:
        status = credentials.status(one, tx.now)
        soon = status == "active" and one.expires_at is not None and one.expires_at <= tx.now + SOON
        state = "expiring" if soon else status
        keys.append(
            Key(one.id, one.display_name, state, status == "active", one.created_at, one.expires_at, used.get(one.id))
        )
    return keys


def call_with_key(access: PageAccess, source: Source | None, key_names: list[str], key: str) -> str | None:
    """Give a ready call with a key; None where the gateway's address is not known."""
    gateway = access.plane.configuration.gateway_urls.get(access.portal.region)
    return with_key(gateway, read(source), key_names[0] if key_names else "apikey", key)


def callable_api(tx: Transaction, application: Application) -> tuple[bool, Source | None]:
    """Say whether the application may call any API, and give the specification of the first one."""
    first = tx.session.scalar(
        select(Registration.api_id)
        .join(Api, Api.id == Registration.api_id)
        .where(Registration.application_id == application.id, Registration.status == registrations.APPROVED)
        .order_by(Api.name, Registration.id)
        .limit(1)
    )
    return first is not None, None if first is None else newest(tx, first)


def secrets_of(tx: Transaction, application: Application) -> list[ClientSecretLine]:
    """Give the secrets of the client that was made for an application, the newest first."""
    ordered = dcr_clients.secrets_of(application).order_by(ClientSecret.created_at.desc(), ClientSecret.id)
    return [
        ClientSecretLine(one.id, one.display_name or dcr_credentials.DEFAULT_NAME, one.created_at, one.expires_at)
        for one in tx.session.scalars(ordered)
    ]


def client_help(
    access: PageAccess, issuer: str | None, client_id: str, scopes: list[str], source: Source | None
) -> ClientHelp:
    """Say how the client of an application gets a token and calls."""
    gateway = access.plane.configuration.gateway_urls.get(access.portal.region)
    endpoint = None if issuer is None else access.request.app.state.token_endpoints.of(issuer)
    discovery = None if issuer is None else issuer.rstrip("/") + "/.well-known/openid-configuration"
    return ClientHelp(
        endpoint,
        discovery,
        token_request(endpoint, client_id, scopes) if endpoint and client_id else None,
        with_token(gateway, read(source)),
    )
