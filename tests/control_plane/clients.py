"""Clients of a control plane inside the test's process. Every answer is held against the contract."""

import hashlib
import secrets
from typing import Any

import httpx2 as httpx
from starlette.testclient import TestClient

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.application import application
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.operators import OperatorToken
from tests.control_plane import contract
from tests.control_plane.settings import REGION


class Client:
    """Sends requests and checks the answers. `expect` names the status that an answer must have."""

    def __init__(self, http: httpx.Client, prefix: str = "") -> None:
        self.http = http
        self.prefix = prefix

    def request(self, method: str, path: str, *, expect: int | None = None, **options: Any) -> httpx.Response:
        response = self.http.request(method, self.prefix + path, **options)
        contract.check(response)
        if expect is not None:
            assert response.status_code == expect, f"{method} {path}: {response.status_code} {response.text[:1000]}"
        return response

    def get(self, path: str, **options: Any) -> Any:
        return self.request("GET", path, **{"expect": 200, **options}).json()

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        response = self.request("POST", path, json=body, **{"expect": 201, **options})
        return response.json() if response.content else None

    def put(self, path: str, body: Any = None, **options: Any) -> Any:
        response = self.request("PUT", path, json=body, **{"expect": 200, **options})
        return response.json() if response.content else None

    def patch(self, path: str, body: Any = None, **options: Any) -> Any:
        return self.request("PATCH", path, json=body, **{"expect": 200, **options}).json()

    def delete(self, path: str, **options: Any) -> None:
        self.request("DELETE", path, **{"expect": 204, **options})


class Clients:
    """Makes clients of `plane`."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self._app = application(plane)

    def nobody(self) -> Client:
        return Client(TestClient(self._app, raise_server_exceptions=True, follow_redirects=False))

    def operator(self, scope: str = "write", region: str = REGION, **columns: Any) -> Client:
        """An operator with a fresh token."""
        token = secrets.token_urlsafe(32)
        digest = hashlib.sha256(token.encode()).hexdigest()
        with self.plane.write(System(region=region)) as tx:
            tx.session.add(OperatorToken(name=f"test {scope}", digest=digest, region=region, scope=scope, **columns))
        client = self.nobody()
        client.http.headers["authorization"] = f"Bearer {token}"
        return client

    def visitor(self, portal_id: str) -> Client:
        """Somebody at a portal's address who is not signed in."""
        from kong_app_auth.portal.store.portals import Portal

        with self.plane.read(System(region=REGION)) as tx:
            portal = tx.session.get(Portal, portal_id)
            assert portal is not None
            client = self.nobody()
            client.prefix = f"/p/{portal.slug}"
            return client
