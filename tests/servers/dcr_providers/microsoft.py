"""Microsoft: Entra's token endpoint, and applications and service principals of Microsoft Graph v1.0.

By https://learn.microsoft.com/graph/api: application-upsert, application-get, application-update, application-delete,
application-addpassword, application-removepassword, serviceprincipal-post-serviceprincipals; and
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow. What is written is seen by the
parts of the directory a little later; `lag` says how many requests too late.
"""

import json
import re
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from tests.servers.dcr_providers.serving import Refused, Reply, Request

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT_ID = "66666666-7777-8888-9999-000000000000"
CLIENT_SECRET = "entra~initial/secret+%"
_WRITABLE = {"displayName", "description", "web", "signInAudience", "api"}
_KEY = re.compile(r"/v1\.0/applications\((appId|uniqueName)='((?:[^']|'')*)'\)(?:/(addPassword|removePassword))?")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_READABLE = {"id", "appId", "uniqueName", "displayName", "description", "web", "passwordCredentials"}


class Entra:
    """A tenant, and Graph beside it at the same address."""

    def __init__(self) -> None:
        self.url = ""
        self.permitted = True
        self.lag = 0
        self.applications: dict[str, dict[str, Any]] = {}
        self.principals: set[str] = set()
        self.secrets: dict[str, str] = {}
        self.tokens: set[str] = set()

    def error(self, status: int, text: str) -> Any:
        code = {401: "InvalidAuthenticationToken", 403: "Authorization_RequestDenied", 404: "Request_ResourceNotFound"}
        inner = {"date": "2026-11-24T05:00:00", "request-id": str(uuid.uuid4())}
        return {"error": {"code": code.get(status, "Request_BadRequest"), "message": text, "innerError": inner}}

    def works(self, client_id: str, secret: str) -> bool:
        """A client gets tokens when it has a service principal and this secret."""
        there = self.applications.get(client_id)
        keys = {one["keyId"] for one in there["passwordCredentials"]} if there else set()
        return client_id in self.principals and self.secrets.get(secret) in keys

    def answer(self, request: Request) -> Reply:
        if request.path == f"/{TENANT}/oauth2/v2.0/token":
            return self._token(request)
        if request.bearer() not in self.tokens:
            raise self._refused(401, "Access token is empty, or has expired.")
        if not self.permitted:
            raise self._refused(403, "Insufficient privileges to complete the operation.")
        if (request.method, request.path) == ("GET", "/v1.0/applications"):
            query = request.query()
            if set(query) - {"$top", "$select", "$filter"}:
                raise self._refused(400, "Invalid query option")
            return Reply(
                200, {"value": [{"id": one["id"]} for one in self.applications.values()][: int(query["$top"])]}
            )
        if (request.method, request.path) == ("POST", "/v1.0/servicePrincipals"):
            return self._principal(request)
        key = _KEY.fullmatch(unquote(request.path))
        if key is None:
            raise self._refused(400, "Resource not found for the segment")
        name, value, action = key[1], key[2].replace("''", "'"), key[3]
        if name == "appId" and not _UUID.fullmatch(value):
            raise self._refused(400, "Invalid value specified for property 'appId' of resource 'Application'.")
        found = next((one for one in self.applications.values() if one[name] == value), None)
        if (request.method, name, action) == ("PATCH", "uniqueName", None):
            return self._upsert(request, value, found)
        if found is None or self._late():
            raise self._refused(404, f"Resource '{value}' does not exist or one of its queried references is missing.")
        return self._one(request, found, action)

    def _token(self, request: Request) -> Reply:
        form = request.form()
        if form.get("client_id") != CLIENT_ID:
            raise Refused(400, self._oauth("unauthorized_client", "AADSTS700016: Application was not found."))
        if form.get("client_secret") != CLIENT_SECRET:
            raise Refused(401, self._oauth("invalid_client", "AADSTS7000215: Invalid client secret provided."))
        if form.get("grant_type") != "client_credentials" or form.get("scope") != f"{self.url}/.default":
            raise Refused(400, self._oauth("invalid_scope", "AADSTS1002012: The scope is not valid."))
        token = secrets.token_urlsafe(64)
        self.tokens.add(token)
        return Reply(200, {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token})

    @staticmethod
    def _oauth(error: str, description: str) -> dict[str, Any]:
        return {"error": error, "error_description": description, "error_codes": [1], "trace_id": str(uuid.uuid4())}

    def _principal(self, request: Request) -> Reply:
        app_id = request.json()["appId"]
        if app_id not in self.applications or self._late():
            raise self._refused(
                400, f"The appId '{app_id}' of the service principal does not reference a valid application object."
            )
        if app_id in self.principals:
            raise self._refused(409, "The service principal cannot be created: the name is already in use.")
        self.principals.add(app_id)
        return Reply(201, {"id": str(uuid.uuid4()), "appId": app_id})

    def _upsert(self, request: Request, key: str, found: dict[str, Any] | None) -> Reply:
        content = self._checked(request)
        if found is not None:
            found |= content
            return Reply(204)
        if request.headers.get("prefer") != "create-if-missing":
            raise self._refused(404, f"Resource '{key}' does not exist.")
        if not content.get("displayName"):
            raise self._refused(400, "A value is required for property 'displayName' of resource 'Application'.")
        ids = {"id": str(uuid.uuid4()), "appId": str(uuid.uuid4()), "uniqueName": key}
        made = {"description": None, "web": {"redirectUris": []}, **content, **ids, "passwordCredentials": []}
        self.applications[made["appId"]] = made
        return Reply(201, made)

    def _one(self, request: Request, found: dict[str, Any], action: str | None) -> Reply:
        match request.method, action:
            case "GET", None:
                fields = request.query()["$select"].split(",")
                if set(fields) - _READABLE:
                    raise self._refused(400, "Could not find a property")
                return Reply(200, {name: found[name] for name in fields})
            case "PATCH", None:
                found |= self._checked(request)
                return Reply(204)
            case "DELETE", None:
                del self.applications[found["appId"]]
                self.principals.discard(found["appId"])
                return Reply(204)
            case "POST", "addPassword":
                content = request.json()["passwordCredential"]
                if set(content) - {"displayName", "endDateTime", "startDateTime"}:
                    raise self._refused(400, "Invalid property")
                key, text = str(uuid.uuid4()), "~" + secrets.token_urlsafe(30)
                end = (datetime.now(UTC) + timedelta(days=730)).isoformat().replace("+00:00", "Z")
                kept = {"keyId": key, "displayName": content.get("displayName"), "endDateTime": end, "hint": text[:3]}
                found["passwordCredentials"].append({**kept, "secretText": None})
                self.secrets[text] = key
                return Reply(200, {**kept, "secretText": text})
            case "POST", "removePassword":
                key = request.json()["keyId"]
                left = [one for one in found["passwordCredentials"] if one["keyId"] != key]
                if len(left) == len(found["passwordCredentials"]):
                    raise self._refused(400, "No password credential found with keyId.")
                found["passwordCredentials"] = left
                return Reply(204)
            case _:
                raise self._refused(405, "Specified HTTP method is not allowed.")

    def _checked(self, request: Request) -> dict[str, Any]:
        content: dict[str, Any] = request.json()
        wrong = (
            set(content) - _WRITABLE
            or len(content.get("displayName") or "") > 256
            or len(content.get("description") or "") > 1024
            or content.get("description") == ""
            or set(content.get("web", {})) - {"redirectUris"}
            or content.get("api", {}).get("requestedAccessTokenVersion") not in (None, 1, 2)
        )
        if wrong:
            raise self._refused(400, f"Invalid property in {json.dumps(sorted(content))}")
        return content

    def _late(self) -> bool:
        """Whether this part of the directory has not heard of what was just written."""
        late = self.lag > 0
        self.lag -= late
        return late

    def _refused(self, status: int, text: str) -> Refused:
        return Refused(status, self.error(status, text))
