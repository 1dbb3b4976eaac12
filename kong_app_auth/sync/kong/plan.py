"""What is to be done in one Kong: pure, and in an order in which no service is ever open on the way.

A service's actions are a chain: where one fails, those after it are not done. So our plugin goes only when what blocks
the service is there, and what blocks it goes only when our plugin is there. Services are enforced before others are
let go of: where a link moves, both carry the plugin for a moment.
"""

from collections.abc import Collection, Iterable, Mapping
from enum import Enum
from typing import Final

import msgspec

from kong_app_auth.sync.kong.compare import Difference, differences, expected
from kong_app_auth.sync.kong.entities import (
    APP_AUTH,
    TERMINATION,
    Config,
    Found,
    Managed,
    app_auth,
    plugin_id,
    termination,
)

Defaults = Mapping[str, Config]
"""The defaults of a plugin's configuration, by the plugin's name."""

NAMES: Final = (APP_AUTH, TERMINATION)


class OnUnlink(Enum):
    """What becomes of a service that loses our plugin: it is open, or it answers 503."""

    OPEN = "open"
    BLOCK = "block"


class Target(Enum):
    """What a service is to carry of ours."""

    ENFORCED = "enforced"
    BLOCKED = "blocked"
    NOTHING = "nothing"


class Put(msgspec.Struct, frozen=True):
    """Put a plugin as it should be.

    `expected`: its configuration with the schema's defaults. `there`: what has its id now; `unequal`: what is wrong
    with that.
    """

    plugin: Managed
    expected: Config
    there: Found | None = None
    unequal: tuple[Difference, ...] = ()


class Delete(msgspec.Struct, frozen=True):
    """Take a plugin away."""

    there: Found


Action = Put | Delete


class Step(msgspec.Struct, frozen=True):
    """What is to be done for one service, each action after the success of the one before it."""

    service_id: str
    target: Target
    actions: tuple[Action, ...]


class Policy(msgspec.Struct, frozen=True):
    """How a gateway is managed: for which region, with which configuration, and what an unlinked service becomes."""

    region: str
    overrides: Config = {}
    on_unlink: OnUnlink = OnUnlink.OPEN

    def plugin(self, service_id: str) -> Managed:
        """Give our plugin for a service."""
        return app_auth(self.region, service_id, self.overrides)

    def block(self, service_id: str) -> Managed:
        """Give what stands in its place."""
        return termination(self.region, service_id)

    def id(self, service_id: str, name: str) -> str:
        """Give the id of our plugin `name` for a service."""
        return plugin_id(self.region, service_id, name)


class Ours(msgspec.Struct, frozen=True):
    """What is there of ours: plugins by the service that they were made for and by their name.

    `strays` have our tags, and an id that is none of ours: they are somebody else's.
    """

    plugins: Mapping[tuple[str, str], Found]
    strays: tuple[Found, ...] = ()

    def at(self, service_id: str, name: str) -> Found | None:
        """Give a plugin of ours."""
        return self.plugins.get((service_id, name))

    def services(self, name: str) -> frozenset[str]:
        """Give the services for which a plugin of ours with this name was made."""
        return frozenset(service_id for service_id, one in self.plugins if one == name)


def recognise(policy: Policy, found: Iterable[Found], known: Collection[str]) -> Ours:
    """Tell which plugins are ours: their id says so. `known` are services that they may have been made for.

    The service that a plugin is on now is tried first; somebody may have moved it.
    """
    plugins: dict[tuple[str, str], Found] = {}
    others: list[Found] = []
    for one in found:
        service_id = one.service_id
        made_for = None
        if service_id is not None:
            made_for = next((name for name in NAMES if policy.id(service_id, name) == one.id), None)
        if service_id is not None and made_for is not None:
            plugins[service_id, made_for] = one
        else:
            others.append(one)
    if not others:
        return Ours(plugins)
    by_id = {policy.id(service_id, name): (service_id, name) for service_id in known for name in NAMES}
    for one in others:
        if one.id in by_id:
            plugins[by_id[one.id]] = one
    return Ours(plugins, tuple(one for one in others if one.id not in by_id))


def plan(
    policy: Policy, enforced: Collection[str], blocked: Collection[str], ours: Ours, defaults: Defaults
) -> list[Step]:
    """List what is to be done so that `enforced` services carry our plugin, and `blocked` ones what blocks them.

    Nothing else carries anything of ours then. A service in both is enforced.
    """
    steps = [_enforce(policy, service_id, ours, defaults) for service_id in sorted(enforced)]
    steps += [_block(policy, service_id, ours, defaults) for service_id in sorted(set(blocked) - set(enforced))]
    kept = set(enforced) | set(blocked)
    left = sorted({service_id for service_id, _ in ours.plugins} - kept)
    steps += [
        Step(service_id, Target.NOTHING, tuple(Delete(one) for name in NAMES if (one := ours.at(service_id, name))))
        for service_id in left
    ]
    return [step for step in steps if step.actions]


def _enforce(policy: Policy, service_id: str, ours: Ours, defaults: Defaults) -> Step:
    actions = [
        *_put(policy.plugin(service_id), ours.at(service_id, APP_AUTH), defaults),
        *_delete(ours.at(service_id, TERMINATION)),
    ]
    return Step(service_id, Target.ENFORCED, tuple(actions))


def _block(policy: Policy, service_id: str, ours: Ours, defaults: Defaults) -> Step:
    actions = [
        *_put(policy.block(service_id), ours.at(service_id, TERMINATION), defaults),
        *_delete(ours.at(service_id, APP_AUTH)),
    ]
    return Step(service_id, Target.BLOCKED, tuple(actions))


def _put(plugin: Managed, there: Found | None, defaults: Defaults) -> list[Action]:
    below = defaults.get(plugin.name, {})
    if there is None:
        return [Put(plugin, expected(plugin, below))]
    unequal = differences(there, plugin, below)
    return [Put(plugin, expected(plugin, below), there, tuple(unequal))] if unequal else []


def _delete(there: Found | None) -> list[Action]:
    return [] if there is None else [Delete(there)]
