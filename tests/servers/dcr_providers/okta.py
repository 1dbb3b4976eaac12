"""Okta: the Dynamic Client Registration API, and the client secrets of the Application SSO Credentials API.

By https://developer.okta.com/docs/api/openapi/okta-oauth/oauth/tag/Client and
https://developer.okta.com/docs/api/openapi/okta-management/management/tag/ApplicationSSOCredentialOAuth2ClientAuth.
Where they are silent, the server is strict: the last active secret cannot be deactivated, and `newSecret` is refused
for a client of two secrets.
"""

import secrets
import time
from typing import Any

from tests.servers.dcr_providers.serving import Refused, Reply, Request

TOKEN = "00okta-token-of-the-tests"
PAGE = 3
"""Clients on a page at most, whatever was asked for: less than the real 200, so that few of them make several."""
_SETTINGS = {
    "client_name",
    "redirect_uris",
    "grant_types",
    "response_types",
    "token_endpoint_auth_method",
    "application_type",
}
_OWN = {"logo_uri": None, "client_uri": None, "initiate_login_uri": "https://example.com/start"}
"""Settings that an administrator may change in the console, and that must survive an update."""
_CODES = {401: "E0000011", 403: "E0000006", 404: "E0000007", 429: "E0000047"}


class OktaOrganisation:
    """An organisation with one API token."""

    def __init__(self) -> None:
        self.url = ""
        self.permitted = True
        self.clients: dict[str, dict[str, Any]] = {}
        self.secrets: dict[str, list[dict[str, Any]]] = {}

    def error(self, status: int, text: str) -> Any:
        code = _CODES.get(status, "E0000001")
        return {"errorCode": code, "errorSummary": text, "errorLink": code, "errorId": "oae1", "errorCauses": []}

    def works(self, client_id: str, secret: str) -> bool:
        there = self.secrets.get(client_id, [])
        return any(one["client_secret"] == secret and one["status"] == "ACTIVE" for one in there)

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"SSWS {TOKEN}":
            raise self._refused(401, "Invalid token provided")
        if not self.permitted:
            raise self._refused(403, "You do not have permission to perform the requested action")
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["oauth2", "v1", "clients"]:
                return self._list(request)
            case "POST", ["oauth2", "v1", "clients"]:
                return self._create(request)
            case method, ["oauth2", "v1", "clients", client_id, *rest]:
                return self._one(request, method, self._client(client_id), rest)
            case method, ["api", "v1", "apps", client_id, "credentials", "secrets", *rest]:
                return self._secrets(request, method, self._client(client_id)["client_id"], rest)
            case _:
                raise self._refused(405, "The endpoint does not support the provided HTTP method")

    def _list(self, request: Request) -> Reply:
        query = request.query()
        if set(query) - {"q", "limit", "after"} or not 1 <= int(query.get("limit", "20")) <= 200:
            raise self._refused(400, "Api validation failed")
        found = [one for one in self.clients.values() if one["client_name"].startswith(query.get("q", ""))]
        start, size = int(query.get("after", "0")), min(PAGE, int(query.get("limit", "20")))
        headers = {}
        if len(found) > start + size:
            base = f"{self.url}/oauth2/v1/clients"
            pages = f'<{base}?limit={size}>; rel="self", <{base}?after={start + size}&limit={size}>; rel="next"'
            headers = {"Link": pages}
        return Reply(200, found[start : start + size], headers)

    def _create(self, request: Request) -> Reply:
        content = self._checked(request.json())
        client_id, secret = "0oa" + secrets.token_hex(8), secrets.token_urlsafe(40)
        issued = {"client_id": client_id, "client_id_issued_at": int(time.time()), "client_secret_expires_at": 0}
        self.clients[client_id] = {**_OWN, **content, **issued}
        self.secrets[client_id] = [_secret(secret)]
        return Reply(201, {**self.clients[client_id], "client_secret": secret})

    def _one(self, request: Request, method: str, client: dict[str, Any], rest: list[str]) -> Reply:
        client_id = client["client_id"]
        match method, rest:
            case "GET", []:
                return Reply(200, client)
            case "PUT", []:
                content = request.json()
                unknown = set(content) - _SETTINGS - set(_OWN) - {"client_id"}
                missing = (set(client) - {"client_id_issued_at", "client_secret_expires_at"}) - set(content)
                if unknown or any(client[name] is not None for name in missing):
                    raise self._invalid("All settings must be specified when updating")
                if content["client_id"] != client_id:
                    raise self._invalid("'client_id' must match the URL")
                self._checked({name: content[name] for name in _SETTINGS})
                client |= content
                return Reply(200, client)
            case "DELETE", []:
                del self.clients[client_id], self.secrets[client_id]
                return Reply(204)
            case "POST", ["lifecycle", "newSecret"]:
                if len(self.secrets[client_id]) > 1:
                    raise self._refused(400, "The client has two secrets")
                secret = secrets.token_urlsafe(40)
                self.secrets[client_id] = [_secret(secret)]
                return Reply(200, {**client, "client_secret": secret})
            case _:
                raise self._refused(405, "The endpoint does not support the provided HTTP method")

    def _secrets(self, request: Request, method: str, client_id: str, rest: list[str]) -> Reply:
        there = self.secrets[client_id]
        if (method, rest) == ("GET", []):
            return Reply(200, there)
        if (method, rest) == ("POST", []):
            if set(request.json()) - {"client_secret", "status"} or len(there) >= 2:
                raise self._refused(400, "Api validation failed: a client has two secrets at most")
            made = _secret(secrets.token_urlsafe(40))
            there.append(made)
            return Reply(201, made)
        found = next((one for one in there if rest and one["id"] == rest[0]), None)
        if found is None:
            raise self._refused(404, "Not found: Resource not found")
        match method, rest[1:]:
            case "POST", ["lifecycle", "deactivate"]:
                if not any(one["status"] == "ACTIVE" for one in there if one is not found):
                    raise self._refused(400, "The last active secret cannot be deactivated")
                found["status"] = "INACTIVE"
                return Reply(200, found)
            case "DELETE", []:
                if found["status"] != "INACTIVE":
                    raise self._refused(400, "An active secret cannot be deleted")
                there.remove(found)
                return Reply(204)
            case _:
                raise self._refused(405, "The endpoint does not support the provided HTTP method")

    def _client(self, client_id: str) -> dict[str, Any]:
        if client_id not in self.clients:
            raise self._refused(404, f"Not found: Resource not found: {client_id} (PublicClientApp)")
        return self.clients[client_id]

    def _checked(self, content: dict[str, Any]) -> dict[str, Any]:
        service = content.get("application_type") == "service"
        wrong = (
            set(content) != _SETTINGS
            or not 0 < len(content["client_name"]) <= 100
            or (service and (content["grant_types"], content["response_types"]) != (["client_credentials"], ["token"]))
            or (not service and not content["redirect_uris"])
            or content["token_endpoint_auth_method"] not in ("client_secret_basic", "client_secret_post")
        )
        if wrong:
            raise self._invalid("The client metadata is not valid")
        return content

    def _invalid(self, text: str) -> Refused:
        return Refused(400, {"error": "invalid_client_metadata", "error_description": text})

    def _refused(self, status: int, text: str) -> Refused:
        return Refused(status, self.error(status, text))


def _secret(text: str) -> dict[str, Any]:
    now = "2026-11-24T05:00:00.000Z"
    return {"id": "ocs" + secrets.token_hex(8), "status": "ACTIVE", "client_secret": text, "created": now}
