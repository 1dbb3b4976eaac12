"""The documentation against the code: reasons, commands, files, metrics, figures; and no page that nobody finds."""

import re
from pathlib import Path

import pytest
import typer
import yaml

from kong_app_auth import cli
from kong_app_auth.domain.reasons import Reason
from kong_app_auth.options import used_by
from kong_app_auth.settings import ENV_PREFIX, Settings
from scripts import growth_table
from tests.packaging.parts import COMPOSE, ROOT
from tests.packaging.test_monitoring import exposed

DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(ROOT) for path in [ROOT / "README.md", *DOCS.rglob("*.md")])
_WORDS = r"[a-z][a-z-]*"
_NO_VARIABLES = {"APP_AUTH_CONFIG"}


def reason_rows(page: str) -> dict[str, str]:
    """The statuses of a page's table of reasons, by code."""
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \| (\d{3}) \|", (DOCS / page).read_text(), re.MULTILINE)
    return {code: status for codes, status in rows for code in re.findall(r"`([a-z_]+)`", codes)}


@pytest.mark.parametrize("page", ["troubleshooting.md", "plugin.md"])
def test_every_reason_is_there_with_its_status(page: str) -> None:
    assert reason_rows(page) == {reason.code: str(reason.status) for reason in Reason}


def _command(words: list[str]) -> bool:
    """Whether words after `kong-app-auth` begin with a command that there is."""
    group = typer.main.get_command(cli.app)
    if words[0] not in group.commands:  # type: ignore[attr-defined]
        return False
    inner = group.commands[words[0]]  # type: ignore[attr-defined]
    return not hasattr(inner, "commands") or (len(words) > 1 and words[1] in inner.commands)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_commands_that_are_named_exist(page: Path) -> None:
    text = (ROOT / page).read_text()
    # In code, not in prose: `kong-app-auth` is the project's name too.
    named = re.findall(rf"(?:`|^|[;&|(] ?)kong-app-auth ({_WORDS})(?: ({_WORDS}))?", text, re.MULTILINE)
    wrong = [words for words in named if not _command([word for word in words if word])]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_variables_that_are_named_are_settings(page: Path) -> None:
    names = set(re.findall(rf"\b{ENV_PREFIX}[A-Z][A-Z_]*[A-Z]\b", (ROOT / page).read_text())) - _NO_VARIABLES
    wrong = {name for name in names if name.removeprefix(ENV_PREFIX).lower() not in Settings.model_fields}
    assert wrong == set()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_metrics_that_are_named_are_exposed(page: Path) -> None:
    series = exposed()
    names = set(re.findall(r"`((?:app_auth|plugin_server)_[a-z_]+)(?:\{[a-z,_]*\})?`", (ROOT / page).read_text()))
    metrics = names - {"app_auth_requests"}  # part of a command's pattern
    assert {name for name in metrics if name not in series and f"{name}_total" not in series} == set()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_files_that_are_named_are_there(page: Path) -> None:
    named = re.findall(r"`((?:kong|tests|docs|scripts|bench)/[\w./-]+)`", (ROOT / page).read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_docker_compose_is_told_of_services_that_there_are(page: Path) -> None:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    named = re.findall(r"docker compose (?:run|exec|logs|restart)(?: --\S+)* ([a-z-]+)", (ROOT / page).read_text())
    assert set(named) <= set(services)


def test_every_page_is_found_from_the_first() -> None:
    first = (DOCS / "README.md").read_text()
    linked = {link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", first)}
    pages = {str(page.relative_to("docs")) for page in PAGES if page.parent == Path("docs")} - {"README.md"}
    assert pages - linked == set()


def test_the_figures_are_those_of_the_benchmarks() -> None:
    text = growth_table.FILE.read_text()
    assert growth_table.rewritten(text) == text, "run `python -m scripts.growth_table`"


def test_amounts_and_times_are_written_as_people_read_them() -> None:
    assert [growth_table.amount(n) for n in (1_500, 2.5e6, 123e6, 9.61e9)] == ["1.5 kB", "2.5 MB", "123 MB", "9.6 GB"]
    assert [growth_table.duration(s) for s in (0.0771, 7.7, 119, 770)] == ["77 ms", "7.7 s", "119 s", "13 min"]


def test_every_setting_is_used_by_somebody() -> None:
    assert set(Settings.model_fields) == set(used_by)
