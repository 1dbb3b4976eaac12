"""What would be done to a gateway, for people: a line for each action, or a unified diff of the plugins as YAML."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import yaml

from kong_app_auth.sync.kong.entities import PROTOCOLS, Config, Found
from kong_app_auth.sync.kong.failures import Failure
from kong_app_auth.sync.kong.plan import Action, Delete, Step, Target

_MARKS = {Target.ENFORCED: "enforce", Target.BLOCKED: "block", Target.NOTHING: "release"}


class Preview(msgspec.Struct, frozen=True):
    """What would be done at one Admin API.

    `absent`: services that are wanted and not there. `problems`: services that cannot be brought in order. `posts`:
    a whole configuration would be posted, for ours or the operator's part is another one.
    """

    url: str
    steps: tuple[Step, ...]
    absent: frozenset[str] = frozenset()
    problems: Mapping[str, Failure] = {}
    posts: bool = False

    @property
    def changes(self) -> bool:
        """Whether anything would be done."""
        return bool(self.steps) or self.posts

    def lines(self) -> Iterator[str]:
        """Say it in a line for each action."""
        for step in self.steps:
            for action in step.actions:
                yield f"{_MARKS[step.target]} {step.service_id}: {_said(action)}"
        if self.posts:
            yield "post the configuration"
        yield from self.remarks()

    def diff(self) -> Iterator[str]:
        """Say it as a unified diff of our plugins."""
        for step in self.steps:
            for action in step.actions:
                before, after = _sides(action)
                name = f"{(action.there if isinstance(action, Delete) else action.plugin).name} on {step.service_id}"
                yield from difflib.unified_diff(before, after, f"there: {name}", f"wanted: {name}", lineterm="")
        yield from self.remarks()

    def remarks(self) -> Iterator[str]:
        """Say what stands in the way, as comments."""
        for service_id in sorted(self.absent):
            yield f"# {service_id}: there is no such Gateway Service here"
        for service_id, failure in sorted(self.problems.items()):
            yield f"# {service_id}: {failure.message}"


def _said(action: Action) -> str:
    if isinstance(action, Delete):
        return f"remove {action.there.name}"
    unequal = "; ".join(str(one) for one in action.unequal)
    return f"change {action.plugin.name} ({unequal})" if action.there else f"add {action.plugin.name}"


def _sides(action: Action) -> tuple[list[str], list[str]]:
    """Give what is there and what would be, as lines of YAML."""
    if isinstance(action, Delete):
        return _yaml(_found(action.there)), []
    there = [] if action.there is None else _yaml(_found(action.there))
    plugin = action.plugin
    return there, _yaml({"id": plugin.id, **plugin.body(), "config": _plain(action.expected)})


def _plain(config: Config) -> Config:
    """Leave out what is null, which Kong shows for what is not set."""
    return {name: value for name, value in config.items() if value is not None}


def _found(found: Found) -> dict[str, Any]:
    """Give a plugin as it is there."""
    return {
        "id": found.id,
        "name": found.name,
        "service": None if found.service is None else {"id": found.service.id},
        "config": _plain(found.config),
        "enabled": found.enabled,
        "protocols": sorted(PROTOCOLS if found.protocols is None else found.protocols),
        "tags": sorted(found.tags or ()),
        **{
            name: {"id": value.id}
            for name in ("route", "consumer", "consumer_group")
            if (value := getattr(found, name)) is not None
        },
    }


def _yaml(document: Mapping[str, Any]) -> list[str]:
    text: str = yaml.safe_dump(dict(document), sort_keys=True)
    return text.splitlines()
