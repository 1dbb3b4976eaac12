"""Curity Identity Server: registration of clients that are no instances of a template, and their management.

By https://curity.io/resources/learn/using-dynamic-client-registration (the initial token has the scope `dcr` and works
once) and https://curity.io/resources/learn/dynamic-client-registration-management (reading and updating a client
replaces both its secret and its registration access token).
"""

import base64
import secrets
from typing import Any
from urllib.parse import unquote_plus

from tests.servers.dcr_providers.serving import Refused, Reply, Request

CLIENT_ID = "curity-initial-client"
CLIENT_SECRET = "curity initial/secret+%"
REGISTRATION = "/token-service/oauth-registration"
_METADATA = {
    "client_name",
    "redirect_uris",
    "grant_types",
    "response_types",
    "token_endpoint_auth_method",
    "scope",
}


class CurityServer:
    """A server with an initial client that may have the scope `dcr`."""

    def __init__(self) -> None:
        self.url = ""
        self.scope = "dcr"
        self.clients: dict[str, dict[str, Any]] = {}
        self.tokens: set[str] = set()

    def error(self, status: int, text: str) -> Any:
        return {"error": "invalid_token" if status == 401 else "invalid_client_metadata", "error_description": text}

    def works(self, client_id: str, secret: str) -> bool:
        return client_id in self.clients and self.clients[client_id]["client_secret"] == secret

    def answer(self, request: Request) -> Reply:
        match request.method, request.path:
            case "GET", "/.well-known/openid-configuration":
                endpoints = {"token_endpoint": "/token", "registration_endpoint": REGISTRATION, "jwks_uri": "/jwks"}
                return Reply(200, {"issuer": self.url, **{name: self.url + path for name, path in endpoints.items()}})
            case "POST", "/token":
                return self._token(request)
            case "POST", path if path == REGISTRATION:
                return self._register(request)
            case method, path if path.startswith(REGISTRATION + "/"):
                return self._manage(request, method, path.removeprefix(REGISTRATION + "/"))
            case _:
                raise Refused(404, {"error": "not_found"})

    def _token(self, request: Request) -> Reply:
        scheme, _, pair = request.headers.get("authorization", "").partition(" ")
        client, _, secret = base64.b64decode(pair).decode().partition(":")
        if scheme != "Basic" or (unquote_plus(client), unquote_plus(secret)) != (CLIENT_ID, CLIENT_SECRET):
            raise Refused(401, {"error": "invalid_client"}, WWW_Authenticate="Basic")
        if request.form() != {"grant_type": "client_credentials", "scope": "dcr"}:
            raise Refused(400, {"error": "invalid_scope"})
        token = secrets.token_urlsafe(32)
        self.tokens.add(token)
        return Reply(200, {"access_token": token, "token_type": "bearer", "expires_in": 300, "scope": self.scope})

    def _register(self, request: Request) -> Reply:
        token = request.bearer()
        if token not in self.tokens:
            raise Refused(401, self.error(401, "The initial access token is not valid"))
        content = self._checked(request)
        self.tokens.remove(token)
        client = {**content, "client_id": secrets.token_hex(16)}
        self.clients[client["client_id"]] = client
        return Reply(201, self._renewed(client))

    def _renewed(self, client: dict[str, Any]) -> dict[str, Any]:
        uri = f"{self.url}{REGISTRATION}/{client['client_id']}"
        client |= {
            "client_secret": secrets.token_urlsafe(24),
            "client_secret_expires_at": 0,
            "registration_client_uri": uri,
            "registration_access_token": secrets.token_urlsafe(24),
            "registration_access_token_expires_in": 31536000,
        }
        return client

    def _manage(self, request: Request, method: str, client_id: str) -> Reply:
        client = self.clients.get(client_id)
        if client is None or client["registration_access_token"] != request.bearer():
            raise Refused(401, self.error(401, "The registration access token is not valid"))
        if method == "DELETE":
            del self.clients[client_id]
            return Reply(204)
        if method == "PUT":
            client |= self._checked(request, frozenset({"client_id"}))
        elif method != "GET":
            raise Refused(405, {"error": "invalid_request"})
        return Reply(200, self._renewed(client))

    def _checked(self, request: Request, also: frozenset[str] = frozenset()) -> dict[str, Any]:
        content: dict[str, Any] = request.json()
        if set(content) - _METADATA - also or not content["grant_types"]:
            raise Refused(400, self.error(400, "The client metadata is not valid"))
        return content
