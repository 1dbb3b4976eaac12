# ruff: noqa: ARG002  every adapter has the whole of Provider, and needs not every argument
"""The HTTP bridge (`http`): a service of the operator's own that speaks to a provider which has no adapter here.

Its API is Konnect's "DCR HTTP integration" (https://developer.konghq.com/dev-portal/dynamic-client-registration and the
DCR handler's API that it names): POST /, DELETE /{id}, POST /{id}/new-secret, POST /{id}/event-hook; header X-API-KEY.
Any 2xx is success. The operations for several secrets are ours: POST /{id}/credentials gives {id, client_id,
client_secret}, DELETE /{id}/credentials/{id} takes it away.
"""

from typing import Any, Final
from urllib.parse import quote

from kong_app_auth.oidc.dcr.calls import Calls, Reply, StatusRefused, client_id_of, members_of, text_of
from kong_app_auth.oidc.dcr.provider import (
    Capabilities,
    ClientRequest,
    DcrFailed,
    Event,
    FailureKind,
    RegisteredClient,
    Registration,
)
from kong_app_auth.oidc.dcr.unsupported import refused

_SENT: Final = (
    "redirect_uris",
    "client_name",
    "grant_types",
    "scopes",
    "token_endpoint_auth_method",
    "application_description",
    "portal_id",
    "organization_id",
    "developer_id",
    "auth_strategy_id",
    "dcr_provider_id",
)


class HttpBridge:
    """The adapter of type `http`."""

    def __init__(
        self,
        calls: Calls,
        base_url: str,
        api_key: str,
        *,
        disable_event_hooks: bool,
        disable_refresh_secret: bool,
        allow_multiple_credentials: bool,
    ) -> None:
        self._calls = calls
        self._base_url = base_url.rstrip("/")
        self._headers = {"X-API-KEY": api_key}
        self.capabilities = Capabilities(
            multiple_credentials=allow_multiple_credentials,
            new_secret=not disable_refresh_secret,
            event_hooks=not disable_event_hooks,
            reads=False,
            updates=False,
        )

    def verify(self) -> tuple[str, ...]:
        """Ask for the root, which the API has no GET for: 401 and 403: a wrong key; 5xx: broken; else all is well."""
        try:
            self._ask("GET", "/", reads=False)
        except StatusRefused as answer:
            if answer.status in (401, 403):
                return (f"does not accept api_key: it {answer.detail}",)
            return (answer.detail,) if answer.status >= 500 or answer.status in (429, 301, 302, 307, 308) else ()
        except DcrFailed as failed:
            return (failed.detail,)
        return ()

    def create(self, wanted: ClientRequest) -> RegisteredClient:
        """POST /."""
        reply = self._ask("POST", "/", {name: getattr(wanted, name) for name in _SENT})
        return _client(reply, None)

    def read(self, client_id: str, registration: Registration | None) -> RegisteredClient | None:
        """Refuse: the API cannot. Raises DcrFailed."""
        raise refused("be asked for a client")

    def update(self, client_id: str, registration: Registration | None, wanted: ClientRequest) -> RegisteredClient:
        """Change nothing: the bridge hears of it by `event`."""
        return RegisteredClient(client_id=client_id)

    def new_secret(self, client_id: str, registration: Registration | None) -> RegisteredClient:
        """POST /{clientId}/new-secret."""
        if not self.capabilities.new_secret:
            raise refused("replace secrets: disable_refresh_secret is set")
        return _client(self._ask("POST", f"/{quote(client_id, safe='')}/new-secret", of_client=True), client_id)

    def add_secret(self, client_id: str, registration: Registration | None, name: str) -> RegisteredClient:
        """POST /{clientId}/credentials."""
        self._several()
        path = f"/{quote(client_id, safe='')}/credentials"
        return _client(self._ask("POST", path, {"display_name": name}, of_client=True), client_id, named=True)

    def delete_secret(self, client_id: str, registration: Registration | None, secret_id: str) -> None:
        """DELETE /{clientId}/credentials/{credentialId}."""
        self._several()
        self._delete(f"/{quote(client_id, safe='')}/credentials/{quote(secret_id, safe='')}")

    def delete(self, client_id: str, registration: Registration | None) -> None:
        """DELETE /{clientId}."""
        self._delete(f"/{quote(client_id, safe='')}")

    def event(self, client_id: str, event: Event) -> None:
        """POST /{clientId}/event-hook."""
        if not self.capabilities.event_hooks:
            return
        content = {
            "event_type": event.event_type,
            "client_id": client_id,
            "application_id": event.application_id,
            "application_name": event.application_name,
            "application_description": event.application_description,
            "portal_id": event.portal_id,
            "organization_id": event.organization_id,
            "developer_id": event.developer_id,
        }
        if event.api_id is not None:
            content["api_product_version_id"] = event.api_id  # the document's name of what a registration is for
        self._ask("POST", f"/{quote(client_id, safe='')}/event-hook", content, of_client=True, reads=False)

    def _several(self) -> None:
        if not self.capabilities.multiple_credentials:
            raise refused("keep several secrets: allow_multiple_credentials is not set")

    def _delete(self, path: str) -> None:
        try:
            self._ask("DELETE", path, of_client=True, reads=False)
        except DcrFailed as failed:
            if failed.kind is not FailureKind.UNKNOWN_CLIENT:
                raise

    def _ask(
        self, method: str, path: str, content: Any = None, *, of_client: bool = False, reads: bool = True
    ) -> Reply:
        return self._calls.ask(
            method, self._base_url + path, content=content, headers=self._headers, of_client=of_client, reads=reads
        )


def _client(reply: Reply, client_id: str | None, *, named: bool = False) -> RegisteredClient:
    return RegisteredClient(
        client_id=client_id or client_id_of(reply.body, changed=True),
        client_secret=text_of(reply.body, "client_secret", changed=True),
        secret_id=text_of(reply.body, "id", changed=True) if named else _optional(reply.body, "id"),
    )


def _optional(body: Any, name: str) -> str | None:
    value = members_of(body).get(name)
    return value if isinstance(value, str) and value else None
