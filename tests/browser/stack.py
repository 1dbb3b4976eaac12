"""The whole of it: portal, sync daemon, Valkey, plugin server and gateway, and a portal of an operator's making."""

import contextlib
import json
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

from kong_app_auth.settings import ENV_PREFIX
from tests.servers.gateway import EventLoopThread
from tests.system.gateways import DevelopmentGateway
from tests.system.portal_path import PortalPath
from tests.system.scene import service_id
from tests.system.upstream import CountingUpstream

SERVICE = "weather"


class Stack(PortalPath):
    """A data path whose portal knows where the gateway is. `site` is the address of the developers' pages."""

    site = ""

    @property
    def gateway_url(self) -> str:
        return "http://{}:{}".format(*self.gateway.address)

    def _environment(self) -> dict[str, str]:
        return super()._environment() | {f"{ENV_PREFIX}GATEWAY_URLS": f"eu={self.gateway_url}"}

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


@contextlib.contextmanager
def stack() -> Generator[Stack]:
    """Run it."""
    with tempfile.TemporaryDirectory(prefix="kaa-", ignore_cleanup_errors=True) as name, EventLoopThread() as loop:
        directory = Path(name)
        upstream = loop.enter(CountingUpstream().serve("127.0.0.1"))
        made = Stack(directory, DevelopmentGateway(directory), upstream)
        try:
            made.start()
            made.set_up()
            yield made
        except BaseException:
            for log in ("portal", "sync", "plugin-server", "gateway"):
                print(f"--- the end of {log}.log\n{made.log(log)[-2000:]}")
            raise
        finally:
            made.stop()
