"""Loading a plugin: what is no plugin is told in one line, and what Kong asks is told in its form."""

import sys
from pathlib import Path

import msgspec
import pytest

from plugin_server.plugin import LoadedPlugin, PluginError, load

GOOD = "class Plugin:\n    def __init__(self, config): pass\n    def access(self, kong): pass\n"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return tmp_path


def loaded(directory: Path, name: str, source: str) -> LoadedPlugin:
    (directory / f"{name}.py").write_text(source)
    return load(name)


@pytest.mark.parametrize(
    ("name", "source", "told"),
    [
        ("broken_syntax", "def", "SyntaxError"),
        ("broken_raises", "raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
        ("broken_needs", "import no_such_module_at_all", "no_such_module_at_all"),
        ("broken_exits", "import sys; sys.exit(0)", "SystemExit"),
        ("broken_nul", "\0", "null"),
        ("broken_no_class", "x = 1", "no class Plugin"),
        ("broken_class", "Plugin = 1", "no class Plugin"),
        ("broken_no_phase", "class Plugin: pass", "none of the phases"),
        ("broken_name", "name = 5\n" + GOOD, "name"),
        ("broken_priority", "priority = 'high'\n" + GOOD, "priority"),
        ("broken_schema", "Schema = [{'x': object()}]\n" + GOOD, "Schema"),
        ("broken_schema_kind", "Schema = 5\n" + GOOD, "Schema"),
    ],
)
def test_what_is_no_plugin_is_told_in_one_line(directory: Path, name: str, source: str, told: str) -> None:
    with pytest.raises(PluginError) as caught:
        loaded(directory, name, source)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", ".", "..x", "no_such_plugin", "no such plugin", "os.path.nothing"])
def test_a_name_that_is_no_module_is_told(name: str) -> None:
    with pytest.raises(PluginError):
        load(name)


def test_what_a_plugin_does_not_say_has_a_default(directory: Path) -> None:
    plugin = loaded(directory, "my_least_plugin", GOOD)
    assert (plugin.name, plugin.version, plugin.priority, plugin.phases) == ("my-least-plugin", "0.0.0", 0, ("access",))
    assert plugin.ready() is None
    plugin.finish()


def test_what_it_says_reaches_kong(directory: Path) -> None:
    source = (
        "name = 'other-name'\nversion = '3.1.4'\npriority = 960\nSchema = [{'a': {'type': 'string'}}]\n"
        + GOOD
        + "    def log(self, kong): pass\n    def rewrite(self, kong): pass\n"
    )
    dump = msgspec.json.decode(loaded(directory, "telling_plugin", source).dump())
    assert dump == {
        "Protocol": "ProtoBuf:1",
        "Plugins": [
            {
                "Name": "other-name",
                "Phases": ["rewrite", "access", "log"],
                "Version": "3.1.4",
                "Priority": 960,
                "Schema": {
                    "name": "other-name",
                    "fields": [{"config": {"type": "record", "fields": [{"a": {"type": "string"}}]}}],
                },
            }
        ],
    }
