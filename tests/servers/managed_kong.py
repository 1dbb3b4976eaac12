"""Kongs whose plugins are managed: development gateways in this process, and what the registry wants of them."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

from kong_app_auth import plugin
from kong_app_auth.devgateway import DevGateway, GatewaySettings
from kong_app_auth.domain.records import Acceptance, Api, Service
from kong_app_auth.registry.contents import Contents
from kong_app_auth.sync.kong.admin_api import Access, AdminApi
from kong_app_auth.sync.kong.entities import APP_AUTH, TERMINATION
from kong_app_auth.sync.kong.plan import OnUnlink, Policy
from kong_app_auth.sync.kong.traditional import TraditionalKong
from kong_app_auth.sync.kong.wanted import Wanted
from tests.servers.gateway import development_gateway
from tests.servers.plugin_server import described
from tests.servers.process import PATIENCE

REGION = "eu"


def service_id(number: int) -> str:
    """The id of the Gateway Service with this number."""
    return f"5e000000-0000-4000-8000-{number:012x}"


def api_id(number: int) -> str:
    """The id of the API with this number."""
    return f"a0000000-0000-4000-8000-{number:012x}"


def contents(accepting: set[int], links: dict[int, int]) -> Contents:
    """A registry in which APIs accept somebody, and services implement them (service to API)."""
    apis = set(links.values()) | accepting
    acceptance = (Acceptance("p0000000-0000-4000-8000-000000000000", "50000000-0000-4000-8000-000000000000"),)
    return Contents(
        apis={
            api_id(one): Api(api_id(one), f"API {one}", "v1", acceptance if one in accepting else ())
            for one in sorted(apis)
        },
        services={service_id(one): Service(service_id(one), api_id(api)) for one, api in links.items()},
    )


def wanted(*numbers: int) -> Wanted:
    """Services that are to carry the plugin."""
    ids = frozenset(map(service_id, numbers))
    return Wanted(ids, ids)


class ManagedKong:
    """A Kong and what keeps it. Its Admin API is asked as an operator would."""

    def __init__(self, admin_url: str) -> None:
        self.admin_url = admin_url
        self.session = requests.Session()
        self.session.trust_env = False
        self.api = AdminApi(Access(url=admin_url))

    def close(self) -> None:
        self.session.close()
        self.api.close()

    def __call__(self, method: str, path: str, **options: Any) -> Any:
        """What the Admin API answers, which must be a success."""
        answer = self.session.request(method, self.admin_url + path, timeout=PATIENCE, **options)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def make_services(self, *numbers: int, upstream: str = "http://127.0.0.1:1") -> None:
        for number in numbers:
            given = {"name": f"service-{number}", "url": upstream, "routes": []}
            del given["routes"]
            self("PUT", f"/services/{service_id(number)}", json=given)
            route = {"paths": [f"/{number}"], "service": {"id": service_id(number)}}
            self("PUT", f"/routes/{service_id(number)}", json=route)

    def plugins(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self("GET", "/plugins?size=1000")["data"]
        return found

    def carried(self, name: str = APP_AUTH) -> dict[str, dict[str, Any]]:
        """The plugins of this name, by their service."""
        return {one["service"]["id"]: one for one in self.plugins() if one["name"] == name and one["service"]}

    def terminated(self) -> set[str]:
        return set(self.carried(TERMINATION))

    def keeper(self, on_unlink: OnUnlink = OnUnlink.OPEN, **config: Any) -> TraditionalKong:
        return TraditionalKong(self.api, Policy(REGION, config, on_unlink), first_wait=0.0)

    def calls(self, action: Callable[[], object]) -> int:
        """How often an action asks the Admin API."""
        before = self.api.calls
        action()
        return self.api.calls - before


def plugin_settings(directory: Path) -> Any:
    """Our plugin as a development gateway knows it, with its real schema and nobody behind its socket."""
    fields = json.loads(json.dumps(plugin.Schema))
    return described(directory, directory / "nobody.sock", fields=fields)


@contextlib.contextmanager
def managed_kong(directory: Path, **settings: Any) -> Iterator[tuple[DevGateway, ManagedKong]]:
    """A development gateway with a database, unless told otherwise."""
    wanted_settings = GatewaySettings(
        **{"database": "memory", "proxy_port": 0, "admin_port": 0, **settings},
        plugin_servers=(plugin_settings(directory),),
    )
    with development_gateway(wanted_settings) as gateway:
        kong = ManagedKong(gateway.admin_url)
        try:
            yield gateway, kong
        finally:
            kong.close()
