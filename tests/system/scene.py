"""Who calls what in these tests: an application for each reason code, a service for each option of the plugin."""

import json
from pathlib import Path
from typing import Any

from kong_app_auth.domain.api_key import mint
from tests.servers.samples import uid

REGION = "eu"
REALM = "tests"
WEATHER, MAPS, PARTNER, PUBLIC = (uid(name) for name in ("weather", "maps", "partner", "public"))
"""Ids of APIs."""
CONSUMER = uid("consumer")
"""A consumer of Kong: the user name is `logistics`, the group `gold`."""
PORTAL, STRATEGY, DEVELOPER = uid("production"), uid("key-auth"), uid("alice")


def service_id(name: str) -> str:
    """The id of the Gateway Service of a path: `/weather` is the service `weather`."""
    return uid(("service", name))


class Scene:
    """The declarative source as it is being edited, with the plain keys by application. `write` puts it in force."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.keys: dict[str, str] = {}
        self.applications: dict[str, dict[str, Any]] = {}
        self.developers = [{"name": "alice", "id": DEVELOPER}, {"name": "bob", "status": "revoked"}]
        self._document = {
            "_format_version": "1.0",
            "region": REGION,
            "auth_strategies": [
                {
                    "name": "key-auth",
                    "id": STRATEGY,
                    "strategy_type": "key_auth",
                    "configs": {"key-auth": {"key_names": ["apikey", "X-Api-Key"]}},
                },
                {"name": "partner-keys", "strategy_type": "key_auth"},
            ],
            "apis": [
                _api("Weather API", WEATHER, "weather"),
                _api("Maps API", MAPS, "maps"),
                _api("Partner API", PARTNER, "partner"),
                _api("Public API", PUBLIC, "public"),
            ],
            "portals": [
                {
                    "name": "Production",
                    "id": PORTAL,
                    "default_auth_strategy": "key-auth",
                    "publications": [
                        {"api": "Weather API v1"},
                        {"api": "Maps API v1"},
                        {"api": "Partner API v1", "auth_strategy": "partner-keys"},
                        {"api": "Public API v1", "auth_strategy": None},
                    ],
                    "developers": self.developers,
                    "teams": [{"name": "logistics"}],
                    "applications": [],
                }
            ],
        }
        self._populate()

    def _populate(self) -> None:
        self.add("dashboard")
        self.add("team", owner={"team": "logistics"})
        self.add("elsewhere", registrations={"Maps API v1": "approved"})
        for state in ("pending", "rejected", "revoked"):
            self.add(state, registrations={"Weather API v1": state})
        self.add("bobs", owner={"developer": "bob"})
        self.add("partner", registrations={"Partner API v1": "approved"})
        self.add("leaked", status="revoked")
        self.add("expired", expires_at="2020-01-01T00:00:00Z")
        self.add("mapped", consumer=CONSUMER)
        self.add("astray", consumer=uid("no consumer"))
        self.add("imported", key="an-imported/key+of=another~form")
        self.keys["other-region"] = mint("us")
        self.keys["unknown"] = mint(REGION)
        good = self.keys["dashboard"]
        self.keys["mistyped"] = good[:-1] + ("a" if good[-1] != "a" else "b")

    def add(
        self,
        name: str,
        *,
        registrations: dict[str, str] | None = None,
        consumer: str | None = None,
        owner: dict[str, str] | None = None,
        key: str | None = None,
        **credential: str,
    ) -> str:
        """Add an application with one key, and give the key. Without `registrations` it may call the Weather API."""
        self.keys[name] = key or mint(REGION)
        self.applications[name] = {
            "name": name,
            "id": uid(("application", name)),
            **(owner or {"developer": "alice"}),
            "registrations": [
                {"api": api, "status": status, **({} if consumer is None else {"consumer": consumer})}
                for api, status in (registrations or {"Weather API v1": "approved"}).items()
            ],
            "credentials": [{"name": "first", "id": uid(("credential", name)), "key": self.keys[name], **credential}],
        }
        return self.keys[name]

    def revoke(self, name: str) -> None:
        """Revoke the key of an application."""
        self.applications[name]["credentials"][0]["status"] = "revoked"

    def restore(self, name: str) -> None:
        """Make the key of an application good again."""
        self.applications[name]["credentials"][0]["status"] = "active"

    def write(self) -> None:
        """Save the file as an editor does: a new one, renamed. (JSON is YAML.)"""
        self._document["portals"][0]["applications"] = list(self.applications.values())  # type: ignore[index]
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(self._document, indent=1))
        new.replace(self.file)


def _api(name: str, identity: str, service: str) -> dict[str, Any]:
    return {
        "name": name,
        "version": "v1",
        "id": identity,
        "implementations": [{"service": {"id": service_id(service)}}],
    }


def kong_configuration(upstream: str, *, real: bool, realm: str = REALM) -> dict[str, Any]:
    """Kong's declarative configuration: a service, with a route of the same name, for each case.

    The services beside `weather`, `maps`, `partner` and `public` name their API, or are linked to none. With `real`
    there is one more, with a plugin that only a real Kong has.
    """

    def plugin(**config: Any) -> dict[str, Any]:
        return {"name": "app-auth", "config": {"region": REGION, "realm": realm, "reveal_reason": True, **config}}

    def service(name: str, *plugins: dict[str, Any], on_route: bool = False) -> dict[str, Any]:
        route: dict[str, Any] = {"name": name, "paths": [f"/{name}"]}
        if on_route:
            route["plugins"] = list(plugins)
        return {
            "id": service_id(name),
            "name": name,
            "url": upstream,
            "routes": [route],
            "plugins": [] if on_route else list(plugins),
        }

    services = [
        service("weather", plugin()),
        service("maps", plugin(), on_route=True),
        service("partner", plugin()),
        service("public", plugin()),
        service("open"),
        service("unlinked", plugin()),
        service("quiet", plugin(api=WEATHER, reveal_reason=False, realm=None)),
        service("query", plugin(api=WEATHER, key_in_query=True)),
        service("query-only", plugin(api=WEATHER, key_in_query=True, key_in_header=False)),
        service("kept", plugin(api=WEATHER, hide_credentials=False, key_in_query=True)),
        service("preflight", plugin(api=WEATHER, run_on_preflight=False)),
        service("strict", plugin(api=WEATHER, max_staleness=2)),
        service("foreign", plugin(region="us")),
    ]
    if real:
        limit = {"name": "rate-limiting", "config": {"hour": 3, "policy": "local", "limit_by": "consumer"}}
        services.append(service("limited", plugin(api=WEATHER), limit))
        gold = {"name": "acl", "config": {"allow": ["gold"]}}
        services.append(service("gold", plugin(api=WEATHER), gold))
    consumer: dict[str, Any] = {"id": CONSUMER, "username": "logistics", "custom_id": "4711"}
    if real:
        consumer["acls"] = [{"group": "gold"}]
    return {"_format_version": "3.0", "services": services, "consumers": [consumer]}
