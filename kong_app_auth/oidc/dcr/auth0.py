# ruff: noqa: ARG002  every adapter has the whole of Provider, and needs not every argument
"""Auth0, by its Management API v2.

The documents are https://auth0.com/docs/api/management/v2 (clients, client-grants) and, for the token,
https://auth0.com/docs/get-started/authentication-and-authorization-flow/client-credentials-flow.

A client carries the application's id in `client_metadata`. The API has no search by it, so the clients are listed.
"""

from typing import Any, Final
from urllib.parse import quote, urlencode

from kong_app_auth.oidc.dcr.access_token import ClientCredentials, KeptToken
from kong_app_auth.oidc.dcr.calls import Calls, client_id_of, members_of, objects_of, text_of
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
from kong_app_auth.oidc.dcr.unsupported import NoHooks, OneSecret

REFERENCE: Final = "kong_app_auth_application"
PAGE: Final = 100
MAX_PAGES: Final = 100
MAX_DESCRIPTION: Final = 140
_OF_CLIENTS: Final = frozenset(
    {"read:clients", "create:clients", "update:clients", "delete:clients", "update:client_keys"}
)
_OF_GRANTS: Final = frozenset(
    {"read:client_grants", "create:client_grants", "update:client_grants", "delete:client_grants"}
)


class Auth0(OneSecret, NoHooks):
    """The adapter of type `auth0`. `audience`: of the Management API; by default the one of the issuer's own domain."""

    def __init__(
        self,
        calls: Calls,
        issuer: str,
        client_id: str,
        client_secret: str,
        *,
        audience: str | None,
        use_developer_managed_scopes: bool,
    ) -> None:
        base = issuer.rstrip("/")
        tokens = ClientCredentials(
            calls,
            lambda: f"{base}/oauth/token",
            client_id,
            client_secret,
            {"audience": audience or f"{base}/api/v2/"},
            in_header=False,
        )
        self._api = ManagementApi(calls, KeptToken(tokens), f"{base}/api/v2")
        self.capabilities = Capabilities(
            new_secret=True, granted_scopes=use_developer_managed_scopes, finds_by_reference=True
        )

    def verify(self) -> tuple[str, ...]:
        """Ask for a token and look at its scopes, then for a client."""
        try:
            granted = self._api.tokens.get()
            needed = _OF_CLIENTS | _OF_GRANTS
            missing = needed - (needed if granted.scopes is None else granted.scopes)
            if missing:
                return (f"does not grant initial_client_id the permissions {', '.join(sorted(missing))}",)
            self._page(0, 1)
        except DcrFailed as failed:
            return (failed.detail,)
        return ()

    def create(self, wanted: ClientRequest) -> RegisteredClient:
        """Make a client, then its grants; or replace the secret of the one that is there."""
        found = self._find(wanted.reference)
        if found is not None:
            self.update(found, None, wanted)
            return _replace_adopted(self.new_secret(found, None))
        body = self._api.ask("POST", "/clients", {**_client_body(wanted), **_fixed(wanted)}).body
        client_id = client_id_of(body, changed=True)
        secret = text_of(body, "client_secret", changed=True)

        def grants() -> RegisteredClient:
            scopes = self._put_grants(client_id, wanted)
            return RegisteredClient(client_id=client_id, client_secret=secret, scopes=scopes)

        return finished_or_undone(grants, lambda: self.delete(client_id, None))

    def read(self, client_id: str, registration: Registration | None) -> RegisteredClient | None:
        """GET the client and its grants."""
        try:
            self._api.ask("GET", f"{_path(client_id)}?fields=client_id&include_fields=true", of_client=True)
        except DcrFailed as failed:
            if failed.kind is FailureKind.UNKNOWN_CLIENT:
                return None
            raise
        return RegisteredClient(client_id=client_id, scopes=_scopes(self._grants(client_id)))

    def update(self, client_id: str, registration: Registration | None, wanted: ClientRequest) -> RegisteredClient:
        """PATCH the client, and put its grants right."""
        self._api.ask("PATCH", _path(client_id), _client_body(wanted), of_client=True)
        return RegisteredClient(client_id=client_id, scopes=self._put_grants(client_id, wanted))

    def new_secret(self, client_id: str, registration: Registration | None) -> RegisteredClient:
        """POST rotate-secret."""
        body = self._api.ask("POST", f"{_path(client_id)}/rotate-secret", of_client=True).body
        return RegisteredClient(client_id=client_id, client_secret=text_of(body, "client_secret", changed=True))

    def delete(self, client_id: str, registration: Registration | None) -> None:
        """DELETE the client; its grants go with it."""
        try:
            self._api.ask("DELETE", _path(client_id), of_client=True)
        except DcrFailed as failed:
            if failed.kind is not FailureKind.UNKNOWN_CLIENT:
                raise

    def _find(self, reference: str) -> str | None:
        for number in range(MAX_PAGES):
            page = self._page(number, PAGE)
            for one in page:
                metadata = members_of(one.get("client_metadata"))
                if metadata.get(REFERENCE) == reference:
                    return text_of(one, "client_id", changed=False)
            if len(page) < PAGE:
                return None
        raise DcrFailed(f"has more than {MAX_PAGES * PAGE} clients, too many to look through", FailureKind.REFUSED)

    def _page(self, number: int, size: int) -> list[dict[str, Any]]:
        query = {
            "fields": "client_id,client_metadata",
            "include_fields": "true",
            "is_global": "false",
            "page": str(number),
            "per_page": str(size),
        }
        return objects_of(self._api.ask("GET", f"/clients?{urlencode(query)}").body)

    def _grants(self, client_id: str) -> list[dict[str, Any]]:
        return objects_of(self._api.ask("GET", f"/client-grants?{urlencode({'client_id': client_id})}").body)

    def _put_grants(self, client_id: str, wanted: ClientRequest) -> tuple[str, ...] | None:
        """Make the client's grants those wanted: the same scopes at every audience. Nothing without an audience."""
        if not wanted.audiences:
            return None
        there = {grant.get("audience"): grant for grant in self._grants(client_id)}
        scopes = list(wanted.scopes)
        for audience in wanted.audiences:
            grant = there.pop(audience, None)
            if grant is None:
                content = {"client_id": client_id, "audience": audience, "scope": scopes}
                self._api.ask("POST", "/client-grants", content)
            elif sorted(grant.get("scope") or ()) != sorted(scopes):
                self._api.ask("PATCH", _grant_path(grant), {"scope": scopes})
        for grant in there.values():
            self._api.ask("DELETE", _grant_path(grant))
        return tuple(wanted.scopes)


def _path(client_id: str) -> str:
    return f"/clients/{quote(client_id, safe='')}"


def _grant_path(grant: dict[str, Any]) -> str:
    return f"/client-grants/{quote(text_of(grant, 'id', changed=False), safe='')}"


def _scopes(grants: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(scope) for grant in grants for scope in grant.get("scope") or ()))


def _client_body(wanted: ClientRequest) -> dict[str, Any]:
    return {
        "name": wanted.client_name.replace("<", " ").replace(">", " ").strip() or wanted.reference,
        "description": wanted.application_description[:MAX_DESCRIPTION],
        "callbacks": wanted.redirect_uris,
        "grant_types": wanted.grant_types,
        "client_metadata": {REFERENCE: wanted.reference},
    }


def _fixed(wanted: ClientRequest) -> dict[str, Any]:
    return {
        "app_type": "regular_web" if "authorization_code" in wanted.grant_types else "non_interactive",
        "token_endpoint_auth_method": {"client_secret_basic": "client_secret_basic"}.get(
            wanted.token_endpoint_auth_method, "client_secret_post"
        ),
        "oidc_conformant": True,
        "jwt_configuration": {"alg": "RS256"},
    }


def _replace_adopted(client: RegisteredClient) -> RegisteredClient:
    return RegisteredClient(
        client_id=client.client_id, client_secret=client.client_secret, scopes=client.scopes, adopted=True
    )
