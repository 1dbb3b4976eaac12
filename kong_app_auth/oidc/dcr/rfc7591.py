# ruff: noqa: ARG002  every adapter has the whole of Provider, and needs not every argument
"""Any provider with dynamic client registration by RFC 7591 and management of the client by RFC 7592.

The documents are those two, and OpenID Connect Discovery 1.0 for the place of the registration endpoint.

The standard has no way to look for a client, so an ambiguous `create` may leave one behind; none to replace a secret;
and manages a client only with the registration access token that came with it, which providers may rotate.
"""

from collections.abc import Callable
from typing import Any, Final

import structlog

from kong_app_auth.oidc.dcr.calls import MAX_TEXT, Calls, Reply, StatusRefused, client_id_of, members_of, text_of
from kong_app_auth.oidc.dcr.provider import (
    Capabilities,
    ClientRequest,
    DcrFailed,
    FailureKind,
    RegisteredClient,
    Registration,
)
from kong_app_auth.oidc.dcr.unsupported import NoHooks, OneSecret, refused

_GONE: Final = (401, 404, 410)
"""RFC 7592, section 2: a client that is not there (any more) is answered with 401."""

log = structlog.get_logger()


class Metadata:
    """The provider's discovery document: asked for once, then kept."""

    def __init__(self, calls: Calls, issuer: str) -> None:
        self._calls = calls
        self._issuer = issuer.rstrip("/").removesuffix("/.well-known/openid-configuration")
        self._known: dict[str, Any] | None = None

    def read(self) -> dict[str, Any]:
        """Ask for the document, and keep it. Raises DcrFailed: REFUSED where it is another issuer's."""
        body = self._calls.ask("GET", f"{self._issuer}/.well-known/openid-configuration").body
        if text_of(body, "issuer", changed=False).rstrip("/") != self._issuer:
            raise DcrFailed("has a discovery document of another issuer", FailureKind.REFUSED)
        self._known = members_of(body)
        return self._known

    def endpoint(self, name: str) -> str:
        """Give an endpoint. Raises DcrFailed: REFUSED where the document has none or is another issuer's."""
        found = (self._known or self.read()).get(name)
        if not isinstance(found, str) or not found:
            raise DcrFailed(f"has no {name} in its discovery document", FailureKind.REFUSED)
        return found


def registration_body(wanted: ClientRequest) -> dict[str, Any]:
    """Give the metadata of a client (RFC 7591, section 2). Empty lists are sent: what is left out has defaults."""
    body: dict[str, Any] = {
        "client_name": wanted.client_name,
        "redirect_uris": wanted.redirect_uris,
        "grant_types": wanted.grant_types,
        "response_types": ["code"] if "authorization_code" in wanted.grant_types else [],
        "token_endpoint_auth_method": wanted.token_endpoint_auth_method,
    }
    if wanted.scopes:
        body["scope"] = " ".join(wanted.scopes)
    return body


def registered(reply: Reply, former: Registration | None, *, with_secret: bool) -> RegisteredClient:
    """Read a client information response (RFC 7591, section 3.2.1). Raises DcrFailed AMBIGUOUS for one of no use."""
    body = members_of(reply.body)
    client_id = client_id_of(body, changed=True)
    uri, token = body.get("registration_client_uri"), body.get("registration_access_token")
    registration = former
    if isinstance(token, str) and 0 < len(token) <= MAX_TEXT:
        known_uri = uri if isinstance(uri, str) and uri else former.client_uri if former else None
        registration = Registration(known_uri, token) if known_uri else former
    scope, expires_at = body.get("scope"), body.get("client_secret_expires_at")
    return RegisteredClient(
        client_id=client_id,
        client_secret=text_of(body, "client_secret", changed=True) if with_secret else None,
        secret_expires_at=expires_at if isinstance(expires_at, int) and expires_at > 0 else None,
        scopes=tuple(scope.split()) if isinstance(scope, str) and len(scope) <= MAX_TEXT else None,
        registration=registration,
    )


class Rfc7591(OneSecret, NoHooks):
    """The adapter of type `rfc7591`.

    `initial_token` gives the token for the next registration; None where the endpoint is open to anyone who reaches it.
    """

    capabilities = Capabilities(granted_scopes=True, needs_registration=True)

    def __init__(
        self,
        calls: Calls,
        metadata: Metadata,
        registration_endpoint: Callable[[], str],
        initial_token: Callable[[], str | None],
    ) -> None:
        self._calls = calls
        self._metadata = metadata
        self._registration_endpoint = registration_endpoint
        self._initial_token = initial_token

    def verify(self) -> tuple[str, ...]:
        """Read the discovery document and look for the registration endpoint, where it is not configured.

        Nothing is registered, not even on trial: RFC 7591 lets a server accept or replace whatever metadata it likes
        (section 2), so that no request is certain to make no client. Whether the initial access token is accepted is
        therefore seen with the first client only.
        """
        try:
            self._metadata.read()
            self._registration_endpoint()
        except DcrFailed as failed:
            return (failed.detail,)
        return ()

    def create(self, wanted: ClientRequest) -> RegisteredClient:
        """POST to the registration endpoint."""
        return registered(self._register(registration_body(wanted)), None, with_secret=True)

    def read(self, client_id: str, registration: Registration | None) -> RegisteredClient | None:
        """GET of the client's configuration endpoint."""
        try:
            return registered(self._managed("GET", registration), registration, with_secret=False)
        except StatusRefused as answer:
            if answer.status in _GONE:
                return None
            raise

    def update(self, client_id: str, registration: Registration | None, wanted: ClientRequest) -> RegisteredClient:
        """PUT to the client's configuration endpoint (RFC 7592, section 2.2)."""
        content = {**registration_body(wanted), "client_id": client_id}
        return registered(self._managed("PUT", registration, content), registration, with_secret=False)

    def new_secret(self, client_id: str, registration: Registration | None) -> RegisteredClient:
        """Refuse: the standard has no such thing. Raises DcrFailed."""
        raise refused("replace the secret of a client: RFC 7592 has no way to ask for it")

    def delete(self, client_id: str, registration: Registration | None) -> None:
        """DELETE of the client's configuration endpoint."""
        try:
            self._managed("DELETE", registration)
        except StatusRefused as answer:
            if answer.status not in _GONE:
                raise
            log.warning("client to be deleted is unknown to the provider", client_id=client_id, status=answer.status)

    def _register(self, content: dict[str, Any]) -> Reply:
        endpoint = self._registration_endpoint()
        token = self._initial_token()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._calls.ask("POST", endpoint, content=content, headers=headers, hide=(token or "",))

    def _managed(
        self, method: str, registration: Registration | None, content: Any = None, *, changes: bool | None = None
    ) -> Reply:
        """Call the client's configuration endpoint. Raises DcrFailed."""
        if registration is None:
            raise refused("manage a client without its registration access token")
        return self._calls.ask(
            method,
            registration.client_uri,
            content=content,
            headers={"Authorization": f"Bearer {registration.access_token}"},
            of_client=True,
            changes=changes,
            hide=(registration.access_token,),
            reads=method != "DELETE",
        )
