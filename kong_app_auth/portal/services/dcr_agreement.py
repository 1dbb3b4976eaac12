"""Making providers agree with the portal's records: what is owed is done, what was begun and left is undone.

A client whose application is there is brought up to date; one whose application is not, because it was deleted or never
came, is deleted at the provider. What fails is tried again, later and later, and told in the log.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Final

import msgspec
import structlog
from sqlalchemy import Select, or_, select

from kong_app_auth.oidc.dcr.provider import (
    ClientRequest,
    DcrFailed,
    Event,
    EventType,
    FailureKind,
    RegisteredClient,
)
from kong_app_auth.portal.actors import System
from kong_app_auth.portal.errors import Unavailable
from kong_app_auth.portal.oauth_clients import EVENT, SECRET, UPDATE
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.services import dcr_clients
from kong_app_auth.portal.services.dcr_connections import connect
from kong_app_auth.portal.services.dcr_failures import tell
from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.portal.store.clients import ClientSecret, OAuthClient
from kong_app_auth.portal.store.strategies import AuthStrategy, DcrProvider
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.vault import Sealed

AT_ONCE: Final = 8
"""Clients that are put right at a time, so that one slow provider does not hold up the others."""
MOST: Final = 64
"""Clients of a region in one round."""

_log = structlog.get_logger()


class _Task(msgspec.Struct, frozen=True):
    """One thing to be said to a provider, and the word in `owed` for it. `forget`: a ClientSecret that goes with it."""

    word: str
    say: Callable[[dcr_clients.Held], RegisteredClient | None]
    forget: str | None = None


class _Work(msgspec.Struct, frozen=True):
    """What is to be done for a client: `tasks`, or to be rid of it by `request`, where its application is not there."""

    held: dcr_clients.Held
    tasks: tuple[_Task, ...] = ()
    request: ClientRequest | None = None


def agree_due(plane: ControlPlane) -> int:
    """Put right what is due in all regions; give how many clients were looked at. To be called every second or so."""
    due = [(region, client) for region in plane.configuration.regions for client in _due_in(plane, region)]
    if due:
        with ThreadPoolExecutor(min(len(due), AT_ONCE), "oauth-clients") as pool:
            list(pool.map(partial(_agree, plane), due))
    return len(due)


def _due(tx: Transaction) -> Select[OAuthClient]:
    return (
        select(OAuthClient)
        .where(
            OAuthClient.region == tx.region,
            OAuthClient.next_attempt_at <= tx.now,
            or_(OAuthClient.leased_until.is_(None), OAuthClient.leased_until <= tx.now),
        )
        .order_by(OAuthClient.next_attempt_at, OAuthClient.id)
        .limit(MOST)
    )


def _due_in(plane: ControlPlane, region: str) -> list[str]:
    with plane.read(System(region)) as tx:
        return [client.id for client in tx.session.scalars(_due(tx))]


def _agree(plane: ControlPlane, due: tuple[str, str]) -> None:
    region, client_id = due
    work = _begin(plane, region, client_id)
    if work is None:
        return
    if work.request is not None:
        _be_rid(plane, region, work.held, work.request)
        return
    for task in work.tasks:
        try:
            registered = task.say(work.held)
        except DcrFailed as failed:
            if not _failed(plane, region, work.held, task, failed):
                return
        else:
            if not _done(plane, region, work.held, task, registered):
                return
    with plane.write(System(region)) as tx:
        client = dcr_clients.take_up(tx, work.held)
        if client is not None:
            dcr_clients.release(tx, client)


def _begin(plane: ControlPlane, region: str, client_id: str) -> _Work | None:
    """Take the lease of a client that is due still, and see what is to be done; None where it is somebody else's."""
    with plane.write(System(region)) as tx:
        client = tx.session.scalar(_due(tx).where(OAuthClient.id == client_id))
        if client is None:
            return None
        record = tx.session.get_one(DcrProvider, client.dcr_provider_id)
        try:
            holder = dcr_clients.hold(tx, client, connect(tx, plane.outgoing, record))
        except (DcrFailed, Sealed, Unavailable) as problem:
            dcr_clients.put_off(tx, client, str(problem))
            _log.error("client of an application cannot be looked after", client=client.id, problem=str(problem))
            return None
        application = tx.session.get(Application, client.application_id)
        if application is None:
            return _Work(holder, request=_last_request(tx, client))
        return _Work(holder, tuple(_tasks(tx, client, application)))


def _tasks(tx: Transaction, client: OAuthClient, application: Application) -> list[_Task]:
    request = dcr_clients.wanted(application)
    tasks: list[_Task] = []
    for word in dcr_clients.take_on(client):
        if word == UPDATE:
            tasks.append(
                _Task(word, partial(_update, request, dcr_clients.event(application, EventType.UPDATE_APPLICATION)))
            )
        elif word.startswith(EVENT):
            api_id = word.removeprefix(EVENT)
            same = (Registration.application_id == application.id, Registration.api_id == api_id)
            approved = tx.session.scalar(select(Registration.id).where(*same, Registration.status == "approved"))
            kind = EventType.REMOVE_REGISTRATION if approved is None else EventType.ADD_REGISTRATION
            tasks.append(_Task(word, partial(_tell, dcr_clients.event(application, kind, api_id))))
        elif word.startswith(SECRET):
            secret = tx.session.get(ClientSecret, word.removeprefix(SECRET))
            if secret is not None and secret.secret_id is not None:
                tasks.append(_Task(word, partial(_delete_secret, secret.secret_id), secret.id))
    return tasks


def _update(request: ClientRequest, event: Event, held: dcr_clients.Held) -> RegisteredClient:
    registered = held.provider.update(held.client_id or "", held.registration, request)
    held.provider.event(held.client_id or "", event)
    return registered


def _tell(event: Event, held: dcr_clients.Held) -> None:
    held.provider.event(held.client_id or "", event)


def _delete_secret(secret_id: str, held: dcr_clients.Held) -> None:
    held.provider.delete_secret(held.client_id or "", held.registration, secret_id)


def _done(
    plane: ControlPlane, region: str, held: dcr_clients.Held, task: _Task, registered: RegisteredClient | None
) -> bool:
    """Write down that a provider has it right; False where the client is not ours any more."""
    with plane.write(System(region)) as tx:
        client = dcr_clients.take_up(tx, held)
        if client is None:
            return False
        dcr_clients.settled(client, task.word)
        if registered is not None:
            dcr_clients.keep(tx, client, registered)
            application = tx.session.get(Application, client.application_id)
            if application is not None and registered.scopes is not None:
                application.granted_scopes = list(registered.scopes)
        _forget(tx, task)
    return True


def _failed(plane: ControlPlane, region: str, held: dcr_clients.Held, task: _Task, failed: DcrFailed) -> bool:
    """Write down a failure. True: it will not come to anything, and what else is owed can be gone on with."""
    hopeless = failed.kind in (FailureKind.REFUSED, FailureKind.UNKNOWN_CLIENT)
    with plane.write(System(region)) as tx:
        tell(task.word, failed, provider_id=held.provider_id, application_id=held.application_id, request_id="")
        client = dcr_clients.take_up(tx, held)
        if client is None:
            return False
        dcr_clients.keep_registration(tx, client, failed.registration)
        if hopeless:
            # Tried again it would be refused again: the log has it, and the next change is tried anew.
            dcr_clients.settled(client, task.word)
            client.problem = failed.detail[:255]
            _forget(tx, task)
        else:
            dcr_clients.put_off(tx, client, failed.detail, timedelta(seconds=failed.retry_after or 0))
    return hopeless


def _forget(tx: Transaction, task: _Task) -> None:
    secret = None if task.forget is None else tx.session.get(ClientSecret, task.forget)
    if secret is not None:
        tx.session.delete(secret)
        tx.session.flush()


def _be_rid(plane: ControlPlane, region: str, held: dcr_clients.Held, request: ClientRequest) -> None:
    """Delete a client whose application is not there. What nobody knows the id of is looked for by its reference."""
    try:
        client_id, registration = held.client_id, held.registration
        if client_id is None and held.provider.capabilities.finds_by_reference:
            found = held.provider.create(request)
            client_id, registration = found.client_id, found.registration
        if client_id is not None:
            held.provider.delete(client_id, registration)
        else:
            _log.warning(
                "a client may have been left at the identity provider",
                provider=held.provider_id,
                reference=held.application_id,
            )
    except DcrFailed as failed:
        with plane.write(System(region)) as tx:
            tell("delete", failed, provider_id=held.provider_id, application_id=held.application_id, request_id="")
            client = dcr_clients.take_up(tx, held)
            if client is not None:
                dcr_clients.keep_registration(tx, client, failed.registration)
                dcr_clients.put_off(tx, client, failed.detail, timedelta(seconds=failed.retry_after or 0))
        return
    with plane.write(System(region)) as tx:
        client = dcr_clients.take_up(tx, held)
        if client is not None:
            tx.session.delete(client)


def _last_request(tx: Transaction, client: OAuthClient) -> ClientRequest:
    """Ask for the client as it was asked for, as far as is known still: to find it by its reference."""
    strategy = tx.session.get(AuthStrategy, client.auth_strategy_id)
    return ClientRequest(
        reference=client.application_id,
        client_name=client.name,
        scopes=tuple(() if strategy is None else strategy.config.get("scopes") or ()),
        portal_id=client.portal_id,
        organization_id=dcr_clients.ORGANIZATION,
        auth_strategy_id=client.auth_strategy_id,
        dcr_provider_id=client.dcr_provider_id,
    )
