"""Every text that is translated is a literal of ours: anybody else's would be markup, and its percent signs gaps."""

import ast
import re
from pathlib import Path

import pytest
from jinja2 import nodes
from markupsafe import Markup

import kong_app_auth.portal.web
from kong_app_auth.portal.web.rendering import environment
from kong_app_auth.portal.web.words import words

_HERE = Path(kong_app_auth.portal.web.__file__).parent
_CODE = sorted(_HERE.rglob("*.py"))
_TEMPLATES = sorted(environment().list_templates())
_GAP = re.compile(r"%\((\w+)\)s")


def _calls_in(template: str, *names: str) -> list[nodes.Call]:
    path = _HERE / "templates" / template
    tree = environment().parse(path.read_text())
    return [one for one in tree.find_all(nodes.Call) if isinstance(one.node, nodes.Name) and one.node.name in names]


@pytest.mark.parametrize("template", _TEMPLATES)
def test_a_template_translates_literals_and_fills_their_gaps(template: str) -> None:
    for call in _calls_in(template, "_", "gettext", "ngettext"):
        counted = isinstance(call.node, nodes.Name) and call.node.name == "ngettext"
        for text in call.args[: 2 if counted else 1]:
            assert isinstance(text, nodes.Const), f"{template}:{call.lineno}"
            assert isinstance(text.value, str), f"{template}:{call.lineno}"
            assert "%" not in _GAP.sub("", text.value.replace("%(num)d", "")), f"{template}:{call.lineno}"
            assert set(_GAP.findall(text.value)) <= {one.key for one in call.kwargs}, f"{template}:{call.lineno}"


@pytest.mark.parametrize("path", _CODE, ids=lambda one: str(one.relative_to(_HERE)))
def test_code_marks_literals_and_fills_their_gaps(path: Path) -> None:
    for call in ast.walk(ast.parse(path.read_text())):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id != "words":
            continue
        (text,) = call.args
        assert isinstance(text, ast.Constant), f"{path}:{call.lineno}"
        assert isinstance(text.value, str), f"{path}:{call.lineno}"
        assert "%" not in _GAP.sub("", text.value), f"{path}:{call.lineno}"
        assert set(_GAP.findall(text.value)) == {one.arg for one in call.keywords}, f"{path}:{call.lineno}"


def test_there_are_such_calls() -> None:
    assert sum(len(_calls_in(one, "_")) for one in _TEMPLATES) > 500
    assert sum(one.read_text().count("words(") for one in _CODE) > 80


def test_what_fills_a_gap_is_escaped_and_is_no_gap_itself() -> None:
    shown = environment().from_string("{{ one | said }}").render(one=words("It is %(name)s.", name="<b>100% %(x)s</b>"))
    assert shown == "It is &lt;b&gt;100% %(x)s&lt;/b&gt;."


def test_a_text_is_translated_before_its_gaps_are_filled() -> None:
    german = environment.__wrapped__()  # the cached one stays as it is
    german.install_gettext_callables(  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        {"It is %(name)s.": "Es ist %(name)s."}.__getitem__, lambda one, many, count: one, newstyle=True
    )
    shown = german.from_string("{{ one | said }}").render(one=words("It is %(name)s.", name="<x>"))
    assert shown == Markup("Es ist &lt;x&gt;.")
