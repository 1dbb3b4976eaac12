# ruff: noqa: ARG002  every adapter has the whole of Provider, and needs not every argument
"""Okta, by its Dynamic Client Registration API (/oauth2/v1/clients) and the secrets of the Apps API.

The documents are https://developer.okta.com/docs/api/openapi/okta-oauth/oauth/tag/Client and
https://developer.okta.com/docs/api/openapi/okta-management/management/tag/ApplicationSSOCredentialOAuth2ClientAuth.

A client carries the application's id at the end of its name, for the API keeps no field of ours that can be read back.
The id of a client that was made here is also that of its app.
"""

import re
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from kong_app_auth.oidc.dcr.calls import Calls, Reply, StatusRefused, client_id_of, objects_of, text_of
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

MAX_SECRETS: Final = 2
MAX_NAME: Final = 100
"""Characters of the name of a client, the application's id at its end included: that of an app's label."""
MAX_PAGES: Final = 50
_CLIENTS: Final = "/oauth2/v1/clients"
_NEXT: Final = re.compile(r'<([^<>]*)>; *rel="next"')
_READ_ONLY: Final = ("client_id_issued_at", "client_secret_expires_at", "client_secret", "_links")


class Okta(NoHooks):
    """The adapter of type `okta`. The issuer is an authorization server of the organisation; its host counts."""

    capabilities = Capabilities(
        multiple_credentials=True, max_credentials=MAX_SECRETS, new_secret=True, finds_by_reference=True
    )

    def __init__(self, calls: Calls, issuer: str, dcr_token: str) -> None:
        parts = urlsplit(issuer)
        self._calls = calls
        self._base_url = f"{parts.scheme}://{parts.netloc}"
        self._headers = {"Authorization": f"SSWS {dcr_token}"}

    def verify(self) -> tuple[str, ...]:
        """Ask for a client."""
        try:
            self._ask("GET", f"{_CLIENTS}?limit=1")
        except StatusRefused as answer:
            if answer.status == 401:
                return (f"does not accept dcr_token: it {answer.detail}",)
            if answer.status == 403:
                return (f"does not let the owner of dcr_token manage applications: it {answer.detail}",)
            return (answer.detail,)
        except DcrFailed as failed:
            return (failed.detail,)
        return ()

    def create(self, wanted: ClientRequest) -> RegisteredClient:
        """Make a client; or replace the secrets of the one that is there."""
        found = self._find(wanted)
        if found is not None:
            client = self.new_secret(found, None)
            return RegisteredClient(
                client_id=found, client_secret=client.client_secret, secret_id=client.secret_id, adopted=True
            )
        body = self._ask("POST", _CLIENTS, _client_body(wanted)).body
        client_id = client_id_of(body, changed=True)
        secret = text_of(body, "client_secret", changed=True)
        return finished_or_undone(lambda: self._with_secret_id(client_id, secret), lambda: self.delete(client_id, None))

    def read(self, client_id: str, registration: Registration | None) -> RegisteredClient | None:
        """GET the client."""
        try:
            self._ask("GET", _path(client_id), of_client=True)
        except DcrFailed as failed:
            if failed.kind is FailureKind.UNKNOWN_CLIENT:
                return None
            raise
        return RegisteredClient(client_id=client_id)

    def update(self, client_id: str, registration: Registration | None, wanted: ClientRequest) -> RegisteredClient:
        """PUT the client with what it has and what is wanted, for the API replaces all of it."""
        there = self._ask("GET", _path(client_id), of_client=True).body
        text_of(there, "client_id", changed=False)
        kept = {name: value for name, value in there.items() if name not in _READ_ONLY and value is not None}
        self._ask("PUT", _path(client_id), {**kept, **_client_body(wanted)}, of_client=True)
        return RegisteredClient(client_id=client_id)

    def new_secret(self, client_id: str, registration: Registration | None) -> RegisteredClient:
        """Delete all secrets but an active one, then POST lifecycle/newSecret, which replaces that one."""
        there = sorted(self._secrets(client_id), key=lambda one: one.get("status") != "ACTIVE")
        for surplus in there[1:]:
            self.delete_secret(client_id, registration, text_of(surplus, "id", changed=False))
        body = self._ask("POST", f"{_path(client_id)}/lifecycle/newSecret", of_client=True).body
        secret = text_of(body, "client_secret", changed=True)
        try:
            return self._with_secret_id(client_id, secret)
        except DcrFailed as failed:
            raise DcrFailed(failed.detail, FailureKind.AMBIGUOUS, failed.retry_after) from None

    def add_secret(self, client_id: str, registration: Registration | None, name: str) -> RegisteredClient:
        """POST a secret of the app; Okta keeps no names of them."""
        body = self._ask("POST", _secrets_path(client_id), {}, of_client=True).body
        return RegisteredClient(
            client_id=client_id,
            client_secret=text_of(body, "client_secret", changed=True),
            secret_id=text_of(body, "id", changed=True),
        )

    def delete_secret(self, client_id: str, registration: Registration | None, secret_id: str) -> None:
        """Deactivate the secret, for only such a one can be deleted; then DELETE it."""
        there = {one.get("id"): one.get("status") for one in self._secrets(client_id)}
        if secret_id not in there:
            return
        path = f"{_secrets_path(client_id)}/{quote(secret_id, safe='')}"
        if there[secret_id] != "INACTIVE":
            self._ask("POST", f"{path}/lifecycle/deactivate", of_client=True)
        self._ask("DELETE", path, of_client=True)

    def delete(self, client_id: str, registration: Registration | None) -> None:
        """DELETE the client."""
        try:
            self._ask("DELETE", _path(client_id), of_client=True)
        except DcrFailed as failed:
            if failed.kind is not FailureKind.UNKNOWN_CLIENT:
                raise

    def _find(self, wanted: ClientRequest) -> str | None:
        """Look through the clients whose names begin as this one's, page by page. Raises DcrFailed."""
        mark = _mark(wanted)
        query = {"q": _name(wanted).removesuffix(mark), "limit": "200"}
        for _ in range(MAX_PAGES):
            page = self._ask("GET", f"{_CLIENTS}?{urlencode(query)}")
            for one in objects_of(page.body):
                if str(one.get("client_name", "")).endswith(mark):
                    return text_of(one, "client_id", changed=False)
            following = _NEXT.search(page.headers.get("link", ""))
            after = parse_qs(urlsplit(following[1]).query).get("after") if following else None
            if not after:
                return None
            query["after"] = after[0]
        raise DcrFailed("has too many clients of this name to look through", FailureKind.REFUSED)

    def _secrets(self, client_id: str) -> list[dict[str, Any]]:
        return objects_of(self._ask("GET", _secrets_path(client_id), of_client=True).body)

    def _with_secret_id(self, client_id: str, secret: str) -> RegisteredClient:
        """Find the id of a secret that was just made: the only one, or else by its text."""
        there = self._secrets(client_id)
        of_text = (one.get("id") for one in there if one.get("client_secret") == secret)
        found = there[0].get("id") if len(there) == 1 else next(of_text, None)
        if not isinstance(found, str):
            raise DcrFailed("does not list the secret that it made", FailureKind.AMBIGUOUS)
        return RegisteredClient(client_id=client_id, client_secret=secret, secret_id=found)

    def _ask(self, method: str, path: str, content: Any = None, *, of_client: bool = False) -> Reply:
        return self._calls.ask(
            method, self._base_url + path, content=content, headers=self._headers, of_client=of_client
        )


def _path(client_id: str) -> str:
    return f"{_CLIENTS}/{quote(client_id, safe='')}"


def _secrets_path(client_id: str) -> str:
    return f"/api/v1/apps/{quote(client_id, safe='')}/credentials/secrets"


def _mark(wanted: ClientRequest) -> str:
    return f" ({wanted.reference})"


def _name(wanted: ClientRequest) -> str:
    mark = _mark(wanted)
    return wanted.client_name[: MAX_NAME - len(mark)].rstrip() + mark


def _client_body(wanted: ClientRequest) -> dict[str, Any]:
    interactive = "authorization_code" in wanted.grant_types
    return {
        "client_name": _name(wanted),
        "redirect_uris": wanted.redirect_uris,
        "grant_types": wanted.grant_types,
        "response_types": ["code"] if interactive else ["token"],
        "token_endpoint_auth_method": wanted.token_endpoint_auth_method,
        "application_type": "web" if interactive else "service",
    }
