"""docs/configuration.md has every setting, with the flag, variable and default that the code has."""

import re

import pytest

from kong_app_auth.domain.reasons import Reason
from kong_app_auth.options import used_by
from kong_app_auth.plugin import Schema
from kong_app_auth.settings import Settings
from scripts.configuration_table import FILE, rewritten


def test_the_tables_are_as_the_code_has_them() -> None:
    text = FILE.read_text()
    assert text == rewritten(text), "run: python -m scripts.configuration_table"


def test_every_setting_is_in_the_table() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \| (?:`--|–)", FILE.read_text(), re.MULTILINE))
    assert rows == set(Settings.model_fields)


def test_every_setting_is_described_and_used() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description is not None
        assert field.description.endswith("."), name
        assert used_by[name], name


@pytest.mark.parametrize("changed", ["`APP_AUTH_WORKERS`", "`--workers`", "| `2` |", "`follower`"])
def test_a_difference_is_noticed(changed: str) -> None:
    text = FILE.read_text()
    assert changed in text
    assert rewritten(text.replace(changed, "| x |")) == text


def test_a_document_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="has no place for the table"):
        rewritten("# Configuration")


def test_the_plugin_s_configuration_and_its_reason_codes_are_documented() -> None:
    text = (FILE.parent / "plugin.md").read_text()
    for field in Schema:
        for name, definition in field.items():
            default = definition.get("default")
            shown = "`" + str(default).lower() + "`" if default is not None else "[^|]+"
            assert re.search(rf"^\| `{name}` \| {shown} \| ", text, re.MULTILINE), name
    for reason in Reason:
        assert re.search(rf"^\|[^|]*`{reason.code}`[^|]*\| {reason.status} \| ", text, re.MULTILINE), reason
