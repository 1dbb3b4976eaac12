# ruff: noqa: ARG002  every adapter has the whole of Provider, and needs not every argument
"""Azure AD (Microsoft Entra ID), by Microsoft Graph v1.0.

The documents are https://learn.microsoft.com/graph/api, application-upsert, -get, -update, -delete, -addpassword,
-removepassword and serviceprincipal-post-serviceprincipals, and for the token
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow.

An application carries ours in `uniqueName`, an alternate key: making it by that key (`Prefer: create-if-missing`) makes
at most one, however often it is tried. Reading it back by a filter would not do, for Graph's lists lag behind. The
parts of the directory hear of a new application one after the other; a step that meets one which has not is repeated.
"""

import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

from kong_app_auth.oidc.dcr.access_token import ClientCredentials, KeptToken
from kong_app_auth.oidc.dcr.calls import Calls, StatusRefused, client_id_of, members_of, objects_of, text_of
from kong_app_auth.oidc.dcr.management import ManagementApi
from kong_app_auth.oidc.dcr.provider import (
    Capabilities,
    ClientRequest,
    DcrFailed,
    FailureKind,
    RegisteredClient,
    Registration,
)
from kong_app_auth.oidc.dcr.undo import finished_or_undone
from kong_app_auth.oidc.dcr.unsupported import NoHooks

MAX_NAME: Final = 256
MAX_DESCRIPTION: Final = 1024
SETTLING_SECONDS: Final = (0.2, 1.0, 2.0, 4.0)
"""Pauses before a step of a creation is tried again, for the directory may not know the new application everywhere."""
_NOT_THERE_YET: Final = "does not reference a valid application object"
"""Graph's words where a service principal is to be made for an application that it has not heard of yet."""
_WORLD: Final = ("https://login.microsoftonline.com", "https://graph.microsoft.com")
_CLOUDS: Final = {
    "login.microsoftonline.us": ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
    "login.partner.microsoftonline.cn": (
        "https://login.partner.microsoftonline.cn",
        "https://microsoftgraph.chinacloudapi.cn",
    ),
}


def token_endpoint_of(issuer: str) -> str:
    """Give the token endpoint of an issuer, `https://sts.windows.net/{tenant}/` or `https://login…/{tenant}/v2.0`."""
    parts = urlsplit(issuer)
    tenant = parts.path.strip("/").split("/")[0]
    if not tenant:
        raise ValueError("the issuer of a provider of type azureAd names its tenant")
    login, _ = _CLOUDS.get(parts.hostname or "", _WORLD)
    return f"{login}/{tenant}/oauth2/v2.0/token"


def graph_of(issuer: str) -> str:
    """Give the root of Microsoft Graph for an issuer's cloud."""
    return _CLOUDS.get(urlsplit(issuer).hostname or "", _WORLD)[1]


T = TypeVar("T")


class AzureAd(NoHooks):
    """The adapter of type `azureAd`. `graph_url`: without the version."""

    capabilities = Capabilities(multiple_credentials=True, new_secret=True, finds_by_reference=True)

    def __init__(
        self,
        calls: Calls,
        issuer: str,
        client_id: str,
        client_secret: str,
        *,
        token_endpoint: str,
        graph_url: str,
    ) -> None:
        graph = graph_url.rstrip("/")
        parameters = {"scope": f"{graph}/.default"}
        tokens = ClientCredentials(calls, lambda: token_endpoint, client_id, client_secret, parameters, in_header=False)
        self._api = ManagementApi(calls, KeptToken(tokens), f"{graph}/v1.0")
        self._token_version = 2 if issuer.rstrip("/").endswith("/v2.0") else 1

    def verify(self) -> tuple[str, ...]:
        """Ask for a token, then for an application."""
        try:
            self._api.tokens.get()
            self._api.ask("GET", "/applications?$top=1&$select=id")
        except StatusRefused as answer:
            if answer.status == 403:
                return (
                    f"lacks the permission Application.ReadWrite.OwnedBy for initial_client_id: it {answer.detail}",
                )
            return (answer.detail,)
        except DcrFailed as failed:
            return (failed.detail,)
        return ()

    def create(self, wanted: ClientRequest) -> RegisteredClient:
        """Make the application by its key, its service principal, and a secret in place of any it has."""
        key = f"/applications(uniqueName='kong-app-auth-{_key(wanted.reference)}')"
        content = {
            **_application(wanted),
            "signInAudience": "AzureADMyOrg",
            "api": {"requestedAccessTokenVersion": self._token_version},
        }
        made = self._api.ask("PATCH", key, content, headers={"Prefer": "create-if-missing"})
        body = made.body
        if body is None:
            body = _settled(lambda: self._api.ask("GET", f"{key}?$select=appId", of_client=True)).body
        client_id = client_id_of(body, "appId", changed=True)

        def rest() -> RegisteredClient:
            _settled(lambda: self._service_principal(client_id))
            client = _settled(lambda: self.new_secret(client_id, None))
            return RegisteredClient(
                client_id=client_id,
                client_secret=client.client_secret,
                secret_id=client.secret_id,
                secret_expires_at=client.secret_expires_at,
                adopted=made.status != 201,
            )

        return finished_or_undone(rest, lambda: self._delete(client_id))

    def read(self, client_id: str, registration: Registration | None) -> RegisteredClient | None:
        """GET the application."""
        try:
            self._api.ask("GET", f"{_path(client_id)}?$select=appId", of_client=True)
        except DcrFailed as failed:
            if failed.kind is FailureKind.UNKNOWN_CLIENT:
                return None
            raise
        return RegisteredClient(client_id=client_id)

    def update(self, client_id: str, registration: Registration | None, wanted: ClientRequest) -> RegisteredClient:
        """PATCH the application."""
        self._api.ask("PATCH", _path(client_id), _application(wanted), of_client=True)
        return RegisteredClient(client_id=client_id)

    def new_secret(self, client_id: str, registration: Registration | None) -> RegisteredClient:
        """Add a secret, then take all others away."""
        body = self._api.ask("GET", f"{_path(client_id)}?$select=passwordCredentials", of_client=True).body
        former = _passwords(body)
        client = self.add_secret(client_id, registration, "kong-app-auth")
        try:
            for credential in former:
                self.delete_secret(client_id, registration, text_of(credential, "keyId", changed=False))
        except DcrFailed as failed:
            raise DcrFailed(failed.detail, FailureKind.AMBIGUOUS, failed.retry_after) from None
        return client

    def add_secret(self, client_id: str, registration: Registration | None, name: str) -> RegisteredClient:
        """POST addPassword. How long the secret lives is Graph's default, or the tenant's policy."""
        content = {"passwordCredential": {"displayName": name}}
        body = self._api.ask("POST", f"{_path(client_id)}/addPassword", content, of_client=True).body
        return RegisteredClient(
            client_id=client_id,
            client_secret=text_of(body, "secretText", changed=True),
            secret_id=text_of(body, "keyId", changed=True),
            secret_expires_at=_moment(members_of(body).get("endDateTime")),
        )

    def delete_secret(self, client_id: str, registration: Registration | None, secret_id: str) -> None:
        """POST removePassword."""
        body = self._api.ask("GET", f"{_path(client_id)}?$select=passwordCredentials", of_client=True).body
        there = _passwords(body)
        if any(one.get("keyId") == secret_id for one in there):
            self._api.ask("POST", f"{_path(client_id)}/removePassword", {"keyId": secret_id}, of_client=True)

    def delete(self, client_id: str, registration: Registration | None) -> None:
        """DELETE the application; its service principal goes with it."""
        try:
            self._delete(client_id)
        except DcrFailed as failed:
            if failed.kind is not FailureKind.UNKNOWN_CLIENT:
                raise

    def _delete(self, client_id: str) -> None:
        """DELETE the application. Right after its making, UNKNOWN_CLIENT is no proof that it is gone."""
        self._api.ask("DELETE", _path(client_id), of_client=True, reads=False)

    def _service_principal(self, client_id: str) -> None:
        """Make the application's service principal, without which it gets no tokens."""
        try:
            self._api.ask("POST", "/servicePrincipals", {"appId": client_id})
        except StatusRefused as answer:
            if answer.status == 400 and _NOT_THERE_YET in answer.detail:
                raise DcrFailed(answer.detail, FailureKind.UNKNOWN_CLIENT) from None
            if answer.status != 409:  # there is one
                raise


def _path(client_id: str) -> str:
    """Give the address of a client. Raises DcrFailed UNKNOWN_CLIENT for what is no UUID: Graph would answer 400."""
    if not _is_uuid(client_id):
        raise DcrFailed("has clients whose ids are UUIDs only", FailureKind.UNKNOWN_CLIENT)
    return f"/applications(appId='{_key(client_id)}')"


def _key(text: str) -> str:
    """Write a key into an address (OData 4.01, section 5.1.1.6.1 of its URL conventions: quotes are doubled)."""
    return quote(text.replace("'", "''"), safe="")


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _settled(step: Callable[[], T]) -> T:
    """Do a step that may meet a part of the directory which has not heard of a new application. Raises DcrFailed."""
    for pause in SETTLING_SECONDS:
        try:
            return step()
        except DcrFailed as failed:
            if failed.kind is not FailureKind.UNKNOWN_CLIENT:
                raise
        time.sleep(pause)
    return step()


def _passwords(body: Any) -> list[dict[str, Any]]:
    return objects_of(members_of(body).get("passwordCredentials"))


def _application(wanted: ClientRequest) -> dict[str, Any]:
    return {
        "displayName": wanted.client_name[:MAX_NAME],
        "description": wanted.application_description[:MAX_DESCRIPTION] or None,
        "web": {"redirectUris": wanted.redirect_uris},
    }


def _moment(text: Any) -> int | None:
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except (TypeError, ValueError):
        return None
