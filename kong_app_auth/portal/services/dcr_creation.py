"""Making an application, with its client where its strategy has a DCR provider.

1. The application is checked, and the intent of a client is committed. 2. The provider is asked. 3. What it gave is
committed. 4. The application is made. Until then nobody sees it. An intent whose application does not come is undone by
`dcr_agreement`, whatever died in between.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec
from sqlalchemy import select

from kong_app_auth.domain.openid_connect import is_client_id
from kong_app_auth.oidc.dcr.provider import (
    ClientRequest,
    DcrFailed,
    FailureKind,
    Provider,
    RegisteredClient,
)
from kong_app_auth.portal.errors import Refused, Unavailable, invalid
from kong_app_auth.portal.services import dcr_clients
from kong_app_auth.portal.services.callers import Caller
from kong_app_auth.portal.services.dcr_connections import connect
from kong_app_auth.portal.services.dcr_failures import BUSY, answer, tell
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.store.clients import OAuthClient
from kong_app_auth.portal.store.ids import NONE
from kong_app_auth.portal.store.strategies import DcrProvider
from kong_app_auth.portal.transaction import Transaction

T = TypeVar("T")
Build = Callable[[Transaction], Application]
"""Checks what is wanted and gives the application, not yet in the session. Raises Refused."""
View = Callable[[Application, str | None], T]
"""Makes the answer of an application and the secret of its client."""

_FIELD = "auth_strategy_id"


class _Asked(msgspec.Struct, frozen=True):
    provider: Provider
    provider_id: str
    request: ClientRequest


def create(caller: Caller, build: Build, view: View[T], imported: str | None = None) -> T:
    """Make an application; give its answer. `imported`: the client id of a client that the provider has already.

    Raises Refused.
    """
    holder: dcr_clients.Held | None = None
    with caller.write() as tx:
        application = build(tx)
        record = application.auth_strategy.dcr_provider
        if record is None:
            if imported is not None:
                raise invalid("dcr_client_id", "is for auth strategies with a DCR provider")
            return view(_add(tx, application), None)
        try:
            provider = connect(tx, caller.plane.outgoing, record)
        except DcrFailed as failed:
            raise answer(failed, _FIELD) from None
        if imported is None:
            intent = dcr_clients.intend(tx, application, record)
            holder = dcr_clients.held(tx, intent, provider)
            application.id = intent.application_id
        asked = _Asked(provider, record.id, dcr_clients.wanted(application))
    if holder is None:
        return _import(caller, build, view, asked, imported or "")
    registered = _ask(caller, holder, asked.request)
    _keep(caller, holder, registered)
    try:
        with caller.write() as tx:
            client = dcr_clients.take_up(tx, holder)
            if client is None:
                raise Unavailable(BUSY)
            application = build(tx)
            _same_provider(application, client.dcr_provider_id)
            application.id, application.client_id = client.application_id, client.client_id
            application.granted_scopes = _scopes(registered)
            _add(tx, application)
            dcr_clients.keep_secret(tx, client, registered, None)
            dcr_clients.release(tx, client)
            return view(application, registered.client_secret)
    except Refused:
        _let_go(caller, holder)
        raise


def _ask(caller: Caller, holder: dcr_clients.Held, request: ClientRequest) -> RegisteredClient:
    try:
        return holder.provider.create(request)
    except DcrFailed as failed:
        with caller.write() as tx:
            who = {"provider_id": holder.provider_id, "application_id": holder.application_id}
            tell("create", failed, **who, request_id=tx.request_id)
            client = dcr_clients.take_up(tx, holder)
            if client is not None and failed.kind is FailureKind.AMBIGUOUS:
                # A request that is still on its way there must have come to its end before we look what it did.
                dcr_clients.put_off(tx, client, failed.detail, dcr_clients.SETTLING)
            elif client is not None:
                tx.session.delete(client)
        raise answer(failed, _FIELD) from None


def _keep(caller: Caller, holder: dcr_clients.Held, registered: RegisteredClient) -> None:
    """Commit what the provider gave, before anything else can fail."""
    with caller.write() as tx:
        client = dcr_clients.take_up(tx, holder)
        if not is_client_id(registered.client_id):
            problem = "gave a client id that tokens cannot be matched with"
        elif _is_known(tx, holder, registered.client_id):
            # Not ours to delete: it belongs to another application.
            problem = "gave the client of another application"
        else:
            problem = None
        if problem is not None:
            if client is not None:
                tx.session.delete(client)
        elif client is not None:
            client.client_id = registered.client_id
            dcr_clients.keep(tx, client, registered)
        else:
            # The lease had ended, and the intent may be gone: this client is nobody's.
            _leave(tx, holder, registered)
    if problem is not None:
        failed = DcrFailed(problem, FailureKind.REFUSED)
        tell("create", failed, provider_id=holder.provider_id, application_id=holder.application_id, request_id="")
        raise answer(failed, _FIELD)


def _leave(tx: Transaction, holder: dcr_clients.Held, registered: RegisteredClient) -> None:
    former = tx.session.get(OAuthClient, holder.id)
    if former is None:
        former = OAuthClient(
            region=tx.region,
            dcr_provider_id=holder.provider_id,
            auth_strategy_id=NONE,
            portal_id=NONE,
            application_id=holder.application_id,
            name="",
            owed=[],
            under_way=[],
            next_attempt_at=tx.now,
        )
        tx.session.add(former)
    if former.client_id is None:
        former.client_id = registered.client_id
        dcr_clients.keep(tx, former, registered)


def _let_go(caller: Caller, holder: dcr_clients.Held) -> None:
    """The application does not come: its client is to be deleted, by whoever puts things right."""
    with caller.write() as tx:
        client = dcr_clients.take_up(tx, holder)
        if client is not None:
            dcr_clients.release(tx, client)


def _import(caller: Caller, build: Build, view: View[T], asked: _Asked, client_id: str) -> T:
    """Link an application to a client that is there. Looking at it leaves nothing behind that had to be undone."""
    able = asked.provider.capabilities
    if not is_client_id(client_id):
        raise invalid("dcr_client_id", "must be 1 to 255 characters of printable ASCII")
    if able.needs_registration:
        raise invalid("dcr_client_id", "cannot be imported: this provider lets us manage only clients that we made")
    found: RegisteredClient | None = RegisteredClient(client_id=client_id)
    if able.reads:
        try:
            found = asked.provider.read(client_id, None)
        except DcrFailed as failed:
            tell("import", failed, provider_id=asked.provider_id, application_id="", request_id="")
            raise answer(failed, "dcr_client_id") from None
    if found is None:
        raise invalid("dcr_client_id", "is no client of the identity provider", "missing_reference")
    with caller.write() as tx:
        application = build(tx)
        _same_provider(application, asked.provider_id)
        record = application.auth_strategy.dcr_provider
        assert record is not None  # noqa: S101  it is the same provider
        client = dcr_clients.intend(tx, application, record)
        if _is_known(tx, dcr_clients.held(tx, client, asked.provider), client_id):
            raise invalid("dcr_client_id", "is the client of another application, or was until now")
        client.client_id = application.client_id = client_id
        application.id, application.granted_scopes = client.application_id, _scopes(found)
        _add(tx, application)
        dcr_clients.keep(tx, client, found)
        dcr_clients.keep_secret(tx, client, found, None)
        dcr_clients.release(tx, client)
        return view(application, None)


def _add(tx: Transaction, application: Application) -> Application:
    tx.session.add(application)
    tx.session.flush()
    return application


def _same_provider(application: Application, provider_id: str) -> None:
    if application.auth_strategy.dcr_provider_id != provider_id:
        raise Unavailable("The auth strategy was changed in the meantime; try again")


def _is_known(tx: Transaction, holder: dcr_clients.Held, client_id: str) -> bool:
    """Say whether another application has this client of the same provider, under whichever provider's record."""
    of_provider = select(DcrProvider.issuer).where(DcrProvider.id == holder.provider_id).scalar_subquery()
    same = (
        select(OAuthClient.id)
        .join(DcrProvider, DcrProvider.id == OAuthClient.dcr_provider_id)
        .where(OAuthClient.client_id == client_id, OAuthClient.id != holder.id, DcrProvider.issuer == of_provider)
        .where(DcrProvider.region == tx.region)
    )
    return tx.session.scalar(same.limit(1)) is not None


def _scopes(registered: RegisteredClient) -> list[str] | None:
    return None if registered.scopes is None else list(registered.scopes)
