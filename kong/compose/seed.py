"""Fills a fresh portal for trying out: one API on the sample upstream, one approved application with a key.

It does so through the portal's API, with an operator's token of an hour. The key is kept in DIRECTORY/key.txt
(`seed.py DIRECTORY`) and shown on a terminal only, never in a log. Where the API is there already nothing is changed.

Environment: PORTAL_URL (http://portal:8080), GATEWAY_URL (http://localhost:8000), the settings of `token create`.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests

from kong_app_auth.domain.api_key import mint

SERVICE = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
"""The Gateway Service in kong.yml."""
CONTROL_PLANE = "0f0e0d0c-0b0a-4908-8706-050403020100"
"""Konnect's name for a Kong cluster; any UUID will do where there is one."""
SECONDS = 20.0


class Portal:
    """The portal's API, as an operator calls it."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call it. Raises SystemExit with the portal's own words where it refuses."""
        answer = self._session.request(method, self._url + path, json=body, timeout=SECONDS)
        if not answer.ok:
            raise SystemExit(f"{method} {path} was answered with {answer.status_code}: {answer.text[:500]}")
        return answer.json() if answer.content else None


def fill(portal: Portal, key: str) -> None:
    """Publish the API, and register an application with it that has `key`."""
    made = portal.call("POST", "/v3/portals", {"name": "Demo", "default_api_visibility": "public"})
    api = portal.call("POST", "/v3/apis", {"name": "Weather API", "version": "v1"})["id"]
    portal.call("PUT", f"/v3/apis/{api}/publications/{made['id']}", {})
    service = {"control_plane_id": CONTROL_PLANE, "id": SERVICE}
    portal.call("POST", f"/v3/apis/{api}/implementations", {"service": service})
    inside = f"/v3/portals/{made['id']}"
    developer = portal.call(
        "POST",
        f"{inside}/developers",
        {"email": "alice@example.com", "full_name": "Alice Example", "status": "approved"},
    )["id"]
    application = portal.call(
        "POST",
        f"{inside}/applications",
        {
            "name": "dashboard",
            "auth_strategy_id": made["default_application_auth_strategy_id"],
            "owner": {"type": "developer", "id": developer},
        },
    )["id"]
    portal.call("POST", f"{inside}/applications/{application}/registrations", {"api_id": api, "status": "approved"})
    portal.call("POST", f"{inside}/applications/{application}/credentials", {"key": key, "display_name": "first"})


def main() -> int:
    """Fill the portal, and say how to call the API."""
    file = Path(sys.argv[1]) / "key.txt"
    url = os.environ.get("PORTAL_URL", "http://portal:8080")
    gateway = os.environ.get("GATEWAY_URL", "http://localhost:8000")
    token = subprocess.run(
        ["kong-app-auth", "token", "create", "--name", "seed", "--expires-in", "1h"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.strip()
    portal = Portal(url, token)
    if not portal.call("GET", "/v3/portals")["data"]:
        key = mint(os.environ["APP_AUTH_REGION"])
        # First the file: a key that is in force and that nobody has would be of no use.
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write(key + "\n")
        fill(portal, key)
    key = file.read_text().strip() if file.exists() else ""
    if key and sys.stdout.isatty():
        sys.stdout.write(f"curl -i -H 'apikey: {key}' {gateway}/weather\n")
    else:
        sys.stdout.write("the portal is filled; `docker compose run --rm seed` shows how to call the API\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
