"""What both demos share: two services behind the gateway, and a key for each thing that can be said of a key."""

import msgspec
import yaml

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
