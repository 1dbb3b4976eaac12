"""Plugins of Kong: those that are ours, and those that the Admin API shows.

Which plugin is ours is told by its id, which is made of region, Gateway Service and plugin name; tags only find it.
"""

import re
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec

from kong_app_auth.domain.kong_ids import deterministic_id

APP_AUTH: Final = "app-auth"
TERMINATION: Final = "request-termination"

MANAGED: Final = "app-auth-managed"
PROTOCOLS: Final = ("grpc", "grpcs", "http", "https")
"""What Kong gives a plugin that names none. With fewer, some requests would pass the plugin by."""
BLOCKED_MESSAGE: Final = "Service temporarily unavailable"

_NAMESPACE: Final = UUID("8f0c2a7e-4a55-5b0e-9d1c-6f3a1f0f6f2b")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)

Config = dict[str, Any]
"""The configuration of a plugin: JSON."""


def tags_of(region: str) -> tuple[str, str]:
    """Give the tags of our plugins: two regions may share one Kong."""
    return MANAGED, f"app-auth-region-{region}"


def plugin_id(region: str, service_id: str, name: str) -> str:
    """Give the id of our plugin `name` on a Gateway Service: always the same, so that two daemons never make two."""
    return str(uuid5(_NAMESPACE, f"{region}\n{service_id}\n{name}"))


def declared_service_id(name: str) -> str:
    """Give the id that Kong gives a service of a declarative configuration that has a name and no id."""
    return deterministic_id("services", name)


def is_uuid(text: str) -> bool:
    """Say whether this is a UUID in its canonical form."""
    return _UUID.fullmatch(text) is not None


class Reference(msgspec.Struct, frozen=True):
    """What a plugin is on."""

    id: str


class Found(msgspec.Struct, frozen=True):
    """A plugin as the Admin API shows it."""

    id: str
    name: str
    service: Reference | None = None
    route: Reference | None = None
    consumer: Reference | None = None
    consumer_group: Reference | None = None
    config: Config = {}
    enabled: bool = True
    protocols: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    instance_name: str | None = None

    @property
    def service_id(self) -> str | None:
        """The Gateway Service that it is on."""
        return None if self.service is None else self.service.id

    def has(self, tags: tuple[str, ...]) -> bool:
        """Say whether it has all of these tags."""
        return set(tags) <= set(self.tags or ())

    def __repr__(self) -> str:
        """Leave the configuration out: those of others hold secrets."""
        return f"Found({self.name}, {self.id})"


class Managed(msgspec.Struct, frozen=True):
    """A plugin as we want it."""

    id: str
    name: str
    service_id: str
    config: Config
    tags: tuple[str, ...]

    def body(self) -> dict[str, Any]:
        """Give what is sent to the Admin API. What it does not name, a PUT resets."""
        return {
            "name": self.name,
            "service": {"id": self.service_id},
            "config": self.config,
            "enabled": True,
            "protocols": list(PROTOCOLS),
            "tags": list(self.tags),
        }


def app_auth(region: str, service_id: str, overrides: Config) -> Managed:
    """Give our plugin for a Gateway Service."""
    config = {**overrides, "region": region}
    return Managed(plugin_id(region, service_id, APP_AUTH), APP_AUTH, service_id, config, tags_of(region))


def termination(region: str, service_id: str) -> Managed:
    """Give what stands in our plugin's place where a service is not to be open without it."""
    config = {"status_code": 503, "message": BLOCKED_MESSAGE}
    return Managed(plugin_id(region, service_id, TERMINATION), TERMINATION, service_id, config, tags_of(region))
