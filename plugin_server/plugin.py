"""Loading a plugin, and saying about it what Kong asks.

A plugin is a module with a class `Plugin` and, as for `kong_pdk`, the attributes `version`, `priority` and `Schema`
(the list of the configuration's fields). Its name is `name` if the module has it, else the module's last part. Two
optional functions are ours: `ready() -> str | None` says what the plugin is waiting for, and `finish()` runs when a
worker ends.
"""

import importlib
from collections.abc import Callable
from typing import Any

import msgspec

PROTOCOL = "ProtoBuf:1"
PHASES = ("certificate", "rewrite", "access", "response", "preread", "log")


class PluginError(Exception):
    """The module is not a plugin."""


class LoadedPlugin(msgspec.Struct, frozen=True):
    """A plugin's class and what Kong must know of it."""

    name: str
    version: str
    priority: int
    phases: tuple[str, ...]
    fields: list[Any]
    create: Callable[[dict[str, Any]], Any]
    ready: Callable[[], object]
    finish: Callable[[], None]

    def schema(self) -> dict[str, Any]:
        """The schema, in the form of a Kong plugin's `schema.lua`."""
        return {"name": self.name, "fields": [{"config": {"type": "record", "fields": self.fields}}]}

    def dump(self) -> bytes:
        """The JSON that Kong's query command must print."""
        return msgspec.json.encode(
            {
                "Protocol": PROTOCOL,
                "Plugins": [
                    {
                        "Name": self.name,
                        "Phases": self.phases,
                        "Version": self.version,
                        "Priority": self.priority,
                        "Schema": self.schema(),
                    }
                ],
            }
        )


def load(module_name: str) -> LoadedPlugin:
    """Import `module_name` and read the plugin in it; PluginError says in one line what is wrong with it."""
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise PluginError(f"cannot import the plugin {module_name}: {_in_one_line(error)}") from error
    except BaseException as error:  # a module may raise anything, sys.exit() too
        raise PluginError(f"importing {module_name} raised {type(error).__name__}: {_in_one_line(error)}") from error
    create = getattr(module, "Plugin", None)
    if not callable(create):
        raise PluginError(f"{module_name} has no class Plugin")
    phases = tuple(phase for phase in PHASES if callable(getattr(create, phase, None)))
    if not phases:
        raise PluginError(f"{module_name}.Plugin has none of the phases {', '.join(PHASES)}")
    try:
        plugin = LoadedPlugin(
            name=msgspec.convert(getattr(module, "name", module_name.rpartition(".")[2].replace("_", "-")), str),
            version=str(getattr(module, "version", "0.0.0")),
            priority=int(getattr(module, "priority", 0)),
            phases=phases,
            fields=list(getattr(module, "Schema", ())),
            create=create,
            ready=getattr(module, "ready", _always_ready),
            finish=getattr(module, "finish", _nothing_to_finish),
        )
        plugin.dump()
    except (TypeError, ValueError) as error:
        raise PluginError(f"{module_name}: name, priority or Schema is wrong: {_in_one_line(error)}") from error
    return plugin


def _in_one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _always_ready() -> None:
    return None


def _nothing_to_finish() -> None:
    return None
