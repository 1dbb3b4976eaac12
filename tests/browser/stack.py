"""The whole of it: portal, sync daemon, Valkey, plugin server, and a gateway whose plugins the daemon manages."""

import contextlib
import json
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx2 as httpx

from kong_app_auth.settings import ENV_PREFIX
from tests.servers.gateway import EventLoopThread
from tests.servers.process import wait_until
from tests.system.gateways import DevelopmentGateway
from tests.system.portal_path import PortalPath
from tests.system.scene import service_id
from tests.system.upstream import CountingUpstream

SERVICE = "weather"


class Stack(PortalPath):
    """A data path whose portal knows where the gateway is. `site` is the address of the developers' pages.

    The gateway has the service `weather`, which anybody may call until the daemon puts the plugin on it.
    """

    site = ""

    def __init__(self, directory: Path, gateway: DevelopmentGateway, upstream: CountingUpstream) -> None:
        super().__init__(directory, gateway, upstream)
        self._kong = {
            "name": "here",
            "mode": "db_less",
            "admin_urls": [gateway.admin_url],
            "declarative_file": str(directory / "kong.yaml"),
        }

    @property
    def gateway_url(self) -> str:
        return "http://{}:{}".format(*self.gateway.address)

    @property
    def operator_token(self) -> str:
        return str(self.operator.http.headers["authorization"]).removeprefix("Bearer ")

    def call(self, key: str | None = None) -> int:
        """Call the service, with a key or without one; gives the status."""
        headers = {} if key is None else {"apikey": key}
        return httpx.get(f"{self.gateway_url}/{SERVICE}", headers=headers, timeout=5).status_code

    def start_gateway(self) -> None:
        route = {"name": SERVICE, "paths": [f"/{SERVICE}"]}
        service = {"id": service_id(SERVICE), "name": SERVICE, "url": self.upstream_url, "routes": [route]}
        self.gateway.start({"_format_version": "3.0", "services": [service]}, self._environment())

    def wait_until_well(self) -> None:
        wait_until(lambda: self.call() == 200, "the gateway serves")

    def _environment(self) -> dict[str, str]:
        file = self.directory / "gateways.yaml"
        file.write_text(json.dumps({"gateways": [self._kong]}))
        more = {"GATEWAY_URLS": f"eu={self.gateway_url}", "KONG_FILE": str(file)}
        return super()._environment() | {ENV_PREFIX + name: value for name, value in more.items()}

    def set_up(self) -> None:
        """What an operator does first: a portal, an API that a Gateway Service implements, its publication."""
        settings = {"name": "Acme", "auto_approve_developers": True, "auto_approve_applications": True}
        portal: dict[str, Any] = self.operator.post("/v3/portals", settings)
        api = self.operator.post("/v3/apis", {"name": "Weather", "version": "v1"})["id"]
        info = {"title": "Weather", "version": "1"}
        spec = json.dumps({"openapi": "3.0.3", "info": info, "servers": [{"url": f"/{SERVICE}"}], "paths": {}})
        self.operator.post(f"/v3/apis/{api}/specifications", {"content": spec})
        self.operator.put(f"/v3/apis/{api}/publications/{portal['id']}", {"visibility": "public"})
        service = service_id(SERVICE)
        self.operator.post(f"/v3/apis/{api}/implementations", {"service": {"control_plane_id": service, "id": service}})
        self.site = f"{self.portal_url}/p/{self.slug(portal)}"
        wait_until(lambda: self.call() == 401, "the daemon has put the plugin on the service")


@contextlib.contextmanager
def stack() -> Generator[Stack]:
    """Run it, with nothing in the portal."""
    with tempfile.TemporaryDirectory(prefix="kaa-", ignore_cleanup_errors=True) as name, EventLoopThread() as loop:
        directory = Path(name)
        upstream = loop.enter(CountingUpstream().serve("127.0.0.1"))
        made = Stack(directory, DevelopmentGateway(directory), upstream)
        try:
            made.start()
            yield made
        except BaseException:
            for log in ("portal", "sync", "plugin-server", "gateway"):
                print(f"--- the end of {log}.log\n{made.log(log)[-2000:]}")
            raise
        finally:
            made.stop()
