"""Auth0: `POST /oauth/token` of the Authentication API, and clients and client grants of the Management API v2.

By https://auth0.com/docs/api/authentication and https://auth0.com/docs/api/management/v2 (clients, client-grants).
"""

import secrets
from typing import Any

from tests.servers.dcr_providers.serving import Refused, Reply, Request

CLIENT_ID = "auth0-initial-client"
CLIENT_SECRET = "auth0 initial/secret+%"
API = "https://weather.example.com"
API_SCOPES = frozenset({"weather.read", "weather.write"})
SCOPES = (
    "read:clients create:clients update:clients delete:clients update:client_keys "
    "read:client_grants create:client_grants update:client_grants delete:client_grants"
)
_WRITABLE = {
    "name": str,
    "description": str,
    "callbacks": list,
    "grant_types": list,
    "client_metadata": dict,
    "app_type": str,
    "token_endpoint_auth_method": str,
    "oidc_conformant": bool,
    "jwt_configuration": dict,
}
_TYPES = ("native", "spa", "regular_web", "non_interactive")
_METHODS = ("none", "client_secret_post", "client_secret_basic")
_GRANTS = ("authorization_code", "implicit", "refresh_token", "client_credentials", "password")
_LISTS = {"fields", "include_fields", "page", "per_page", "include_totals", "is_global", "is_first_party", "app_type"}
_STATUS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}


class Auth0Tenant:
    """A tenant with one API, and an initial client that may call the Management API."""

    def __init__(self) -> None:
        self.url = ""
        self.scopes = SCOPES
        self.clients: dict[str, dict[str, Any]] = {}
        self.grants: dict[str, dict[str, Any]] = {}
        self.tokens: set[str] = set()

    def error(self, status: int, text: str) -> Any:
        return {"statusCode": status, "error": _STATUS.get(status, "Error"), "message": text, "errorCode": "some_code"}

    def works(self, client_id: str, secret: str) -> bool:
        return client_id in self.clients and self.clients[client_id]["client_secret"] == secret

    def answer(self, request: Request) -> Reply:
        if request.path == "/oauth/token":
            return self._token(request)
        if not request.path.startswith("/api/v2/"):
            raise self._refused(404, "Not Found")
        if request.bearer() not in self.tokens:
            raise self._refused(401, "Invalid token")
        match request.method, request.path.removeprefix("/api/v2/").split("/"):
            case "GET", ["clients"]:
                return self._list(request)
            case "POST", ["clients"]:
                return self._create(request)
            case method, ["clients", client_id]:
                return self._one(request, method, client_id)
            case "POST", ["clients", client_id, "rotate-secret"]:
                self._needs("update:client_keys")
                client = self._client(client_id)
                client["client_secret"] = secrets.token_urlsafe(48)
                return Reply(200, client)
            case method, ["client-grants", *rest]:
                return self._grants(request, method, rest)
            case _:
                raise self._refused(404, "Not Found")

    def _token(self, request: Request) -> Reply:
        form = request.form()
        if form.get("grant_type") != "client_credentials":
            raise Refused(403, {"error": "unsupported_grant_type", "error_description": "Unsupported grant type"})
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise Refused(401, {"error": "access_denied", "error_description": "Unauthorized"})
        if form.get("audience") != f"{self.url}/api/v2/":
            raise Refused(403, {"error": "access_denied", "error_description": "Service not found"})
        token = secrets.token_urlsafe(32)
        self.tokens.add(token)
        told = {"access_token": token, "scope": self.scopes, "expires_in": 86400, "token_type": "Bearer"}
        return Reply(200, told)

    def _list(self, request: Request) -> Reply:
        self._needs("read:clients")
        query = request.query()
        if set(query) - _LISTS or not 0 < int(query.get("per_page", "50")) <= 100:
            raise self._refused(400, "Query validation error")
        size, page = int(query.get("per_page", "50")), int(query.get("page", "0"))
        fields = query["fields"].split(",") if "fields" in query else None
        found = list(self.clients.values())[page * size : (page + 1) * size]
        return Reply(200, [self._shown(one, fields) for one in found])

    @staticmethod
    def _shown(client: dict[str, Any], fields: list[str] | None) -> dict[str, Any]:
        """What is shown without the scope read:client_keys."""
        return {name: client[name] for name in client if name != "client_secret" and (not fields or name in fields)}

    def _create(self, request: Request) -> Reply:
        self._needs("create:clients")
        content = request.json()
        if "name" not in content:
            raise self._refused(400, "Payload validation error: 'Missing required property: name'.")
        self._check(content)
        made = {"client_id": secrets.token_urlsafe(24), "client_secret": secrets.token_urlsafe(48), **content}
        self.clients[made["client_id"]] = made
        return Reply(201, made)

    def _one(self, request: Request, method: str, client_id: str) -> Reply:
        scope = {"GET": "read:clients", "PATCH": "update:clients", "DELETE": "delete:clients"}.get(method)
        if scope is None:
            raise self._refused(404, "Not Found")
        self._needs(scope)
        client = self._client(client_id)
        if method == "DELETE":
            del self.clients[client_id]
            self.grants = {key: grant for key, grant in self.grants.items() if grant["client_id"] != client_id}
            return Reply(204)
        if method == "PATCH":
            content = request.json()
            self._check(content)
            client |= {**content, "client_metadata": {**client["client_metadata"], **content["client_metadata"]}}
        fields = request.query().get("fields")
        return Reply(200, self._shown(client, fields.split(",") if fields else None))

    def _grants(self, request: Request, method: str, rest: list[str]) -> Reply:
        match method, rest:
            case "GET", []:
                self._needs("read:client_grants")
                return Reply(200, self.grants_of(request.query()["client_id"]))
            case "POST", []:
                self._needs("create:client_grants")
                content = request.json()
                if set(content) != {"client_id", "audience", "scope"}:
                    raise self._refused(400, "Payload validation error")
                self._client(content["client_id"])
                if content["audience"] != API:
                    raise self._refused(404, "The resource server does not exist")
                self._check_scopes(content["scope"])
                if any(one["audience"] == content["audience"] for one in self.grants_of(content["client_id"])):
                    raise self._refused(409, "A resource with the same identifier already exists.")
                grant = {"id": "cgr_" + secrets.token_hex(8), **content}
                self.grants[grant["id"]] = grant
                return Reply(201, grant)
            case (("PATCH" | "DELETE"), [grant_id]) if grant_id in self.grants:
                self._needs("update:client_grants" if method == "PATCH" else "delete:client_grants")
                if method == "DELETE":
                    del self.grants[grant_id]
                    return Reply(204)
                content = request.json()
                if set(content) != {"scope"}:
                    raise self._refused(400, "Payload validation error")
                self._check_scopes(content["scope"])
                self.grants[grant_id] |= content
                return Reply(200, self.grants[grant_id])
            case _:
                raise self._refused(404, "The client grant does not exist")

    def grants_of(self, client_id: str) -> list[dict[str, Any]]:
        return [grant for grant in self.grants.values() if grant["client_id"] == client_id]

    def _client(self, client_id: str) -> dict[str, Any]:
        if client_id not in self.clients:
            raise self._refused(404, "The client does not exist")
        return self.clients[client_id]

    def _needs(self, scope: str) -> None:
        if scope not in self.scopes.split():
            raise self._refused(403, f"Insufficient scope, expected any of: {scope}")

    def _check(self, content: dict[str, Any]) -> None:
        for name, value in content.items():
            if not isinstance(value, _WRITABLE.get(name, ())):
                raise self._refused(400, f"Payload validation error: 'Additional properties not allowed: {name}'.")
        metadata = content.get("client_metadata", {})
        wrong = (
            len(content.get("description", "")) > 140
            or not content.get("name", "x")
            or set("<>") & set(content.get("name", ""))
            or content.get("app_type", "spa") not in _TYPES
            or content.get("token_endpoint_auth_method", "none") not in _METHODS
            or set(content.get("grant_types", ())) - set(_GRANTS)
            or len(metadata) > 10
            or any(not isinstance(value, str) or len(value) > 255 for value in metadata.values())
        )
        if wrong:
            raise self._refused(400, "Payload validation error")

    def _check_scopes(self, scopes: list[str]) -> None:
        if set(scopes) - API_SCOPES:
            raise self._refused(400, "One or more scopes are not defined for the API")

    def _refused(self, status: int, text: str) -> Refused:
        return Refused(status, self.error(status, text))
