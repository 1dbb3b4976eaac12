"""The data path with a portal in front of it, instead of a file."""

import contextlib
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx2 as httpx

from kong_app_auth.settings import ENV_PREFIX
from tests.control_plane.clients import Client
from tests.servers.gateway import EventLoopThread
from tests.servers.process import end, free_port, wait_until
from tests.system.data_path import DataPath
from tests.system.gateways import DevelopmentGateway, Gateway, Kong, RunningKong
from tests.system.scene import REGION
from tests.system.upstream import CountingUpstream

PASSWORD = "correct horse battery staple"


class PortalPath(DataPath):
    """A data path whose registry comes from a portal. `operator` calls its API."""

    def __init__(self, directory: Path, gateway: Gateway, upstream: CountingUpstream, *, workers: int = 1) -> None:
        super().__init__(directory, gateway, upstream, workers=workers)
        self.portal: subprocess.Popen[bytes] | None = None
        self._port = free_port()
        self.portal_url = f"http://127.0.0.1:{self._port}"
        self.database = f"sqlite:///{directory / 'portal.db'}"
        self.feed_token = secrets.token_urlsafe(32)
        self._clients = contextlib.ExitStack()
        self.operator = self._client()

    def start(self) -> None:
        self.start_control_plane()
        super().start()

    def start_control_plane(self) -> None:
        """Start the portal alone, and make a token for `operator`."""
        self.start_portal()
        token = self.run_own("token", "create", "--name", "tests")
        self.operator = self._client()
        self.operator.http.headers["authorization"] = f"Bearer {token}"

    def start_portal(self) -> None:
        """Start the portal and wait until it answers."""
        self.portal = self._start_own("portal", "portal")
        wait_until(lambda: self._answers() == 401, f"the portal is up: {self.directory}/portal.log")

    def stop(self) -> None:
        self.stop_control_plane()
        super().stop()

    def stop_control_plane(self) -> None:
        """End the portal at once."""
        self._clients.close()
        if self.portal is not None:
            end(self.portal)
        end(self.valkey.process)

    def wait_until_well(self) -> None:
        wait_until(self._is_whole, "all processes of the plugin server are there")
        wait_until(lambda: self.status("unknown") in (401, 403), "the data path serves")

    def run_own(self, *arguments: str) -> str:
        """Run a command of ours to its end; gives what it printed."""
        command = [sys.executable, "-P", "-m", "kong_app_auth.cli", *arguments]
        return subprocess.run(
            command, env=self._environment(), capture_output=True, text=True, check=True
        ).stdout.strip()

    def slug(self, portal: dict[str, Any]) -> str:
        """The name of a portal in paths."""
        return str(portal["default_domain"]).partition(".")[0]

    def visitor(self, portal: dict[str, Any]) -> Client:
        """Somebody at a portal's address."""
        return self._client(f"/p/{self.slug(portal)}")

    def _client(self, prefix: str = "") -> Client:
        http = self._clients.enter_context(httpx.Client(base_url=self.portal_url, timeout=30))
        return Client(http, prefix)

    def signed_up(self, portal: dict[str, Any], email: str) -> Client:
        """Sign up with this address and set a password by the link in the mail; not signed in yet."""
        visitor = self.visitor(portal)
        visitor.request("POST", "/api/v3/developer", json={"email": email, "full_name": "Some Body"}, expect=201)
        confirmed = visitor.post("/api/v3/developer/verify-email", {"token": self.mailed_token()}, expect=202)
        visitor.post(
            "/api/v3/developer/reset-password", {"token": confirmed["token"], "password": PASSWORD}, expect=204
        )
        return visitor

    def mailed_token(self) -> str:
        """The token in the newest mail."""
        with httpx.Client(base_url=self.portal_url, timeout=30) as browser:

            def look() -> str | None:
                mails = re.findall(r'href="(mailbox/[0-9a-f-]{36})"', browser.get("/mailbox").text)
                texts = (browser.get(f"/{mail}/text").text for mail in mails)
                return next((found[1] for text in texts if (found := re.search(r"token=([0-9a-f-]{36})", text))), None)

            found = wait_until(look, "a mail with a link")
            assert found
            return found

    def sign_in(self, visitor: Client, email: str, **options: Any) -> None:
        """Sign in."""
        credentials = {"username": email, "password": PASSWORD}
        visitor.post("/api/v3/developer/authenticate", credentials, **{"expect": 204, **options})

    def _answers(self) -> int:
        assert self.portal is not None
        assert self.portal.poll() is None, self.log("portal")[-3000:]
        try:
            return httpx.get(f"{self.portal_url}/v3/portals", timeout=5).status_code
        except httpx.HTTPError:
            return 0

    def _environment(self) -> dict[str, str]:
        settings = {
            "database_url": self.database,
            "portal_listen": f"127.0.0.1:{self._port}",
            "portal_regions": REGION,
            "public_url": self.portal_url,
            "feed_tokens": f"{REGION}={self.feed_token}",
            "mailbox": "true",
            "portal_url": self.portal_url,
            "feed_token": self.feed_token,
            "idp_allow_private": "true",
            "idp_allow_http_loopback": "true",
        }
        return super()._environment() | {ENV_PREFIX + name.upper(): value for name, value in settings.items()}

    def start_sync(self) -> "subprocess.Popen[bytes]":
        """Start a sync daemon that follows the portal."""
        daemon = self._start_own("sync", "sync")
        self.syncs.append(daemon)
        return daemon


@contextlib.contextmanager
def portal_path(kong: Kong | None, *, synced: bool = True) -> Generator[PortalPath]:
    """Run a data path with a portal: on the development gateway, or on this Kong. Not `synced`: the portal alone."""
    with tempfile.TemporaryDirectory(prefix="kaa-", ignore_cleanup_errors=True) as name, EventLoopThread() as loop:
        directory = Path(name)
        gateway: Gateway = DevelopmentGateway(directory) if kong is None else RunningKong(kong)
        upstream = loop.enter(CountingUpstream().serve("127.0.0.1" if kong is None else "0.0.0.0"))
        path = PortalPath(directory, gateway, upstream)
        try:
            path.start() if synced else path.start_control_plane()
            yield path
        except BaseException:
            for log in ("portal", "sync", "plugin-server", "gateway"):
                print(f"--- the end of {log}.log\n{path.log(log)[-3000:]}")
            raise
        finally:
            path.stop() if synced else path.stop_control_plane()
