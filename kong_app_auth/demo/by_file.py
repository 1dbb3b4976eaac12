"""The demo without a portal: everything is in `apps.yaml`, which the sync daemon watches."""

from pathlib import Path

import yaml

from kong_app_auth.demo.scene import MAPS, REGION, WEATHER, Keys
from kong_app_auth.domain.api_key import mint


class ByFile:
    """A registry that is kept in a file. `sync_settings` are those of its sync daemon."""

    flow = "apps.yaml ─► sync daemon ─► Valkey ─► follower ─► replica ◄─ two workers"
    revoked_by = "revoked in apps.yaml"
    token: str | None = None

    def __init__(self, directory: Path) -> None:
        self._file = directory / "apps.yaml"
        self.keys = new_keys()
        self._file.write_text(apps_yaml(self.keys))

    @property
    def sync_settings(self) -> dict[str, str]:
        """Where the sync daemon finds the file."""
        return {"apps_file": str(self._file)}

    def revoke(self) -> None:
        """Revoke the key that retires."""
        self._file.write_text(apps_yaml(self.keys, retiring_revoked=True))

    def hints(self) -> list[str]:
        """What to try next."""
        return [f"$EDITOR {self._file}      (revoke or approve something, then call again)"]


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
