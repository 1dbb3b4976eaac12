"""What the demo shows: two APIs behind the gateway, and applications in each state that matters."""

import msgspec
import yaml

from kong_app_auth.domain.api_key import mint

REGION = "eu"
WEATHER = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
MAPS = "7d444840-9dc0-41d1-b245-5ffdce74fad2"


class Keys(msgspec.Struct, frozen=True):
    """The demo's API keys, new in each run."""

    dashboard: str
    newcomer: str
    planner: str
    retiring: str
    elsewhere: str

    def __repr__(self) -> str:
        """Show none of them."""
        return "Keys(…)"

    @property
    def mistyped(self) -> str:
        """A good key with its last character changed."""
        return self.dashboard[:-1] + ("a" if self.dashboard[-1] != "a" else "b")


def new_keys() -> Keys:
    """Mint the keys of a run."""
    dashboard, newcomer, planner, retiring = (mint(REGION) for _ in range(4))
    return Keys(dashboard, newcomer, planner, retiring, elsewhere=mint("us"))


def apps_yaml(keys: Keys, *, retiring_revoked: bool = False) -> str:
    """The declarative source of the registry."""

    def application(name: str, api: str, status: str, key: str, key_status: str = "active") -> dict[str, object]:
        credential: dict[str, object] = {"name": "first", "key": key}
        if key_status != "active":
            credential["status"] = key_status
        return {
            "name": name,
            "developer": "alice",
            "auth_strategy": "key-auth",
            "registrations": [{"api": api, "status": status}],
            "credentials": [credential],
        }

    return yaml.safe_dump(
        {
            "_format_version": "1.0",
            "region": REGION,
            "auth_strategies": [
                {"name": "key-auth", "strategy_type": "key_auth", "configs": {"key-auth": {"key_names": ["apikey"]}}}
            ],
            "apis": [
                {"name": "Weather API", "version": "v1", "implementations": [{"service": {"id": WEATHER}}]},
                {"name": "Maps API", "version": "v2", "implementations": [{"service": {"id": MAPS}}]},
            ],
            "portals": [
                {
                    "name": "Production",
                    "default_auth_strategy": "key-auth",
                    "publications": [{"api": "Weather API v1"}, {"api": "Maps API v2"}],
                    "developers": [{"name": "alice"}],
                    "applications": [
                        application("dashboard", "Weather API v1", "approved", keys.dashboard),
                        application("newcomer", "Weather API v1", "pending", keys.newcomer),
                        application("route-planner", "Maps API v2", "approved", keys.planner),
                        application(
                            "retiring",
                            "Weather API v1",
                            "approved",
                            keys.retiring,
                            "revoked" if retiring_revoked else "active",
                        ),
                    ],
                }
            ],
        },
        sort_keys=False,
    )


def kong_yaml(upstream: str) -> str:
    """Kong's declarative configuration."""
    plugin = {"name": "app-auth", "config": {"region": REGION, "realm": "demo", "reveal_reason": True}}
    return yaml.safe_dump(
        {
            "_format_version": "3.0",
            "services": [
                {
                    "id": service,
                    "name": name,
                    "url": upstream,
                    "routes": [{"name": name, "paths": [f"/{name}"]}],
                    "plugins": [plugin],
                }
                for service, name in ((WEATHER, "weather"), (MAPS, "maps"))
            ],
        },
        sort_keys=False,
    )
