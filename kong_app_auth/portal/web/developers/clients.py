"""Applications whose OAuth client the portal makes at a DCR provider: made, and the client's secrets shown once."""

from collections.abc import Callable

import msgspec
from fastapi import Response

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.contract.applications import CreateOwnApplication
from kong_app_auth.portal.errors import Conflict, Forbidden, Invalid, Unavailable
from kong_app_auth.portal.services import applications, dcr_creation, dcr_credentials, ownership
from kong_app_auth.portal.store.applications import Application
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.web.developers.keys import callable_api, client_help
from kong_app_auth.portal.web.forms import DeveloperForm, Form, first_time, once_of
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.sessions import Developer, PageAccess
from kong_app_auth.portal.web.shown_once import Secret, ShownOnce
from kong_app_auth.portal.web.sites import site_of

routes = router("/applications/{application_id}/client", "Pages")


class Made(msgspec.Struct, frozen=True):
    """An application that a form has made, with the secret of its client where the portal made one."""

    id: str
    client_secret: str | None

    def __repr__(self) -> str:
        """Leave the secret out."""
        return f"Made({self.id})"


def make_application(access: PageAccess, form: Form, wanted: CreateOwnApplication) -> Made | None:
    """Make an application of the developer's; None where the form was sent before and what it made is forgotten.

    Raises Refused. The identity provider may be asked: to be called outside of transactions.
    """
    memory, name = _memory(access), once_of(access, form)
    with access.write() as tx:
        first = first_time(tx, access, form)
    if not first:
        known = memory.get(name)
        return None if known is None else Made(known.record_id, known.text or None)
    made = dcr_creation.create(
        access,
        lambda tx: applications.of_own(tx, access.portal.id, access.developer_id, wanted),
        lambda application, secret: Made(application.id, secret),
    )
    memory.put(name, Secret(made.id, made.client_secret or ""))
    return made


def secret_page(access: PageAccess, application_id: str, secret: str) -> Response:
    """Show a client's new secret. No other page does."""
    with access.read() as tx:
        application = ownership.application_of(tx, access.portal.id, access.developer_id, application_id)
        config = application.auth_strategy.config
        name, client_id, source = application.name, application.client_id or "", callable_api(tx, application)[1]
    return render(
        access,
        site_of(access),
        "developers/client_secret.html",
        application_id=application_id,
        application_name=name,
        client_id=client_id,
        secret=secret,
        client=client_help(access, config.get("issuer"), client_id, list(config.get("scopes") or ()), source),
    )


@routes.post("/new-secret", response_class=Response)
def renew(access: Developer, application_id: str, form: DeveloperForm) -> Response:
    """Replace the secret of the client: the old one is good for nothing at once."""
    try:
        secret = _once(
            access, form, application_id, lambda: dcr_credentials.renew(access, _found(access, application_id))[1]
        )
    except (Invalid, Conflict, Forbidden, Unavailable):
        return see_other(access.request, f"/applications/{application_id}", "not-renewed")
    return _answer(access, application_id, secret)


def add_secret(access: PageAccess, application_id: str, form: Form, display_name: str | None) -> Response:
    """Give the client of an application one secret more, and show it. Raises Refused."""

    def add() -> str:
        found = _found(access, application_id)
        return dcr_credentials.add(access, found, display_name, lambda _record, _client_id, secret: secret)

    return _answer(access, application_id, _once(access, form, application_id, add))


def _found(access: PageAccess, application_id: str) -> Callable[[Transaction], Application]:
    return lambda tx: ownership.application_of(tx, access.portal.id, access.developer_id, application_id)


def _once(access: PageAccess, form: Form, application_id: str, work: Callable[[], str]) -> str | None:
    """Do the work of a form, or give what it gave before; None where that is forgotten."""
    memory, name = _memory(access), once_of(access, form)
    with access.write() as tx:
        _found(access, application_id)(tx)
        first = first_time(tx, access, form)
    if first:
        secret = work()
        memory.put(name, Secret(application_id, secret))
        return secret
    known = memory.get(name)
    return None if known is None else known.text


def _answer(access: PageAccess, application_id: str, secret: str | None) -> Response:
    if secret is None:
        return see_other(access.request, f"/applications/{application_id}", "key-made-before")
    return secret_page(access, application_id, secret)


def _memory(access: PageAccess) -> ShownOnce:
    memory: ShownOnce = access.request.app.state.shown_once
    return memory
