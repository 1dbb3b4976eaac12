"""The secrets of an application's client at a DCR provider: renewed, added, named, taken away."""

from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias, TypeVar

from sqlalchemy import select

from kong_app_auth.oidc.dcr.provider import Capabilities, DcrFailed, Provider, RegisteredClient, Registration
from kong_app_auth.portal.errors import Conflict, Forbidden, NotFound, Unavailable, invalid
from kong_app_auth.portal.oauth_clients import SECRET, owe
from kong_app_auth.portal.services import dcr_clients
from kong_app_auth.portal.services.callers import Caller
from kong_app_auth.portal.services.dcr_connections import connect
from kong_app_auth.portal.services.dcr_failures import BUSY, answer, tell
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.clients import ClientSecret, OAuthClient
from kong_app_auth.portal.store.strategies import DcrProvider
from kong_app_auth.portal.transaction import Deed, Transaction

T = TypeVar("T")
ApplicationOf: TypeAlias = Callable[[Transaction], Application]
"""Finds the application in a transaction. Raises Refused where the caller may not have it."""
View: TypeAlias = Callable[[ClientSecret, str, str], T]

DEFAULT_NAME: Final = "Client secret"
_FIELD: Final = "applicationId"


def has_client(application: Application) -> bool:
    """Say whether an application's credentials are secrets of a client at a DCR provider."""
    return application.auth_strategy.dcr_provider_id is not None


def the_secret(tx: Transaction, application: Application, secret_id: str) -> ClientSecret:
    """Give a secret of an application's client. Raises NotFound."""
    found = tx.find(ClientSecret, secret_id)
    if found is None or found.leaving or found.client.application_id != application.id:
        raise NotFound("Credential not found")
    return found


def renew(caller: Caller, application_of: ApplicationOf) -> tuple[str, str]:
    """Replace all secrets of a client by a new one; give its id and the secret, which is shown only now.

    Raises Refused: Invalid where the provider cannot, Conflict where the client has several secrets.
    """

    def check(tx: Transaction, application: Application, able: Capabilities) -> None:
        if len(tx.session.scalars(dcr_clients.secrets_of(application).limit(2)).all()) > 1:
            raise Conflict("The application has more than one credential: add and remove credentials instead")
        if not able.new_secret:
            raise invalid(_FIELD, "has a client whose provider renews no secrets", source="path")

    held = _hold(caller, application_of, check)
    registered = _ask(caller, held, "new secret", held.provider.new_secret)
    with caller.write() as tx:
        client = _taken_up(tx, held)
        dcr_clients.keep(tx, client, registered)
        here = (ClientSecret.oauth_client_id == client.id, ClientSecret.leaving.is_(False))
        for old in tx.session.scalars(select(ClientSecret).where(*here)):
            tx.session.delete(old)
        secret = dcr_clients.keep_secret(tx, client, registered, None)
        _note(tx, client, "regenerate_secret", secret)
        dcr_clients.release(tx, client)
        return registered.client_id, registered.client_secret or ""


def add(caller: Caller, application_of: ApplicationOf, name: str | None, view: View[T]) -> T:
    """Give the client one secret more; give the answer of its record, the client's id and the secret, shown only now.

    Raises Refused: Invalid where the provider has one secret a client, Forbidden where it has as many as it may.
    """

    def check(tx: Transaction, application: Application, able: Capabilities) -> None:
        if not able.multiple_credentials:
            raise invalid(_FIELD, "has a client with one secret: renew that", source="path")
        most = min(able.max_credentials or tx.configuration.max_credentials, tx.configuration.max_credentials)
        if len(tx.session.scalars(dcr_clients.secrets_of(application)).all()) >= most:
            raise Forbidden(f"Maximum number of Credentials exceeded. Max Allowed: {most}")

    held = _hold(caller, application_of, check)
    title = name or DEFAULT_NAME
    registered = _ask(caller, held, "add secret", partial(_add, held.provider, title))
    with caller.write() as tx:
        client = _taken_up(tx, held)
        dcr_clients.keep(tx, client, registered)
        secret = dcr_clients.keep_secret(tx, client, registered, title)
        _note(tx, client, "add_secret", secret)
        dcr_clients.release(tx, client)
        return view(secret, registered.client_id, registered.client_secret or "")


def rename(tx: Transaction, application: Application, secret_id: str, name: str) -> None:
    """Give a secret another name, here: providers keep their own. Raises NotFound."""
    the_secret(tx, application, secret_id).display_name = name
    tx.session.flush()


def remove(tx: Transaction, application: Application, secret_id: str) -> None:
    """Take a secret away; the provider is told within seconds. Raises NotFound; Conflict for the last one."""
    secret = the_secret(tx, application, secret_id)
    if secret.secret_id is None or len(tx.session.scalars(dcr_clients.secrets_of(application)).all()) < 2:
        raise Conflict("A client keeps at least one secret")
    secret.leaving = True
    client = secret.client
    owe(client, SECRET + secret.id)
    if client.lease is None:
        client.next_attempt_at = tx.now
    tx.note(Deed("remove_secret", "application", application.id, application.portal_id, {"secret": secret.id}))
    tx.session.flush()


def _add(provider: Provider, title: str, client_id: str, registration: Registration | None) -> RegisteredClient:
    return provider.add_secret(client_id, registration, title)


def _hold(
    caller: Caller, application_of: ApplicationOf, check: Callable[[Transaction, Application, Capabilities], None]
) -> dcr_clients.Held:
    with caller.write() as tx:
        application = application_of(tx)
        client = dcr_clients.client_of(tx, application.id)
        if client is None:
            raise invalid(_FIELD, "has no client secret that this portal could renew", source="path")
        record = tx.session.get_one(DcrProvider, client.dcr_provider_id)
        try:
            provider = connect(tx, caller.plane.outgoing, record)
        except DcrFailed as failed:
            raise answer(failed, _FIELD, "path") from None
        check(tx, application, provider.capabilities)
        return dcr_clients.hold(tx, client, provider)


def _ask(
    caller: Caller, held: dcr_clients.Held, action: str, ask: Callable[[str, Registration | None], RegisteredClient]
) -> RegisteredClient:
    try:
        return ask(held.client_id or "", held.registration)
    except DcrFailed as failed:
        with caller.write() as tx:
            who = {"provider_id": held.provider_id, "application_id": held.application_id}
            tell(action, failed, **who, request_id=tx.request_id)
            client = dcr_clients.take_up(tx, held)
            if client is not None:
                dcr_clients.keep_registration(tx, client, failed.registration)
                dcr_clients.release(tx, client)
        raise answer(failed, _FIELD, "path") from None


def _taken_up(tx: Transaction, held: dcr_clients.Held) -> OAuthClient:
    client = dcr_clients.take_up(tx, held)
    if client is None:
        raise Unavailable(BUSY)
    return client


def _note(tx: Transaction, client: OAuthClient, action: str, secret: ClientSecret) -> None:
    tx.note(Deed(action, "application", client.application_id, client.portal_id, {"secret": secret.id}))
