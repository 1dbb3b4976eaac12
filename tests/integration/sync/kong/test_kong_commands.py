"""`kong-app-auth kong …` by hand: what it prints, and how it ends."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from kong_app_auth import cli
from kong_app_auth.registry.connection import connect
from kong_app_auth.registry.contents import Contents, diff
from kong_app_auth.registry.writer import Writer
from kong_app_auth.sync.kong.entities import APP_AUTH, plugin_id
from plugin_server import logs
from tests.servers.managed_kong import REGION, ManagedKong, contents, service_id
from tests.servers.process import free_port
from tests.servers.redis import RedisServer

APPS = f"""\
_format_version: "1.0"
region: eu
auth_strategies: [{{name: keys, strategy_type: key_auth}}]
apis: [{{name: Weather API, version: v1, implementations: [{{service: {{id: {service_id(0)}}}}}]}}]
portals: [{{name: P, default_auth_strategy: keys, publications: [{{api: Weather API v1}}]}}]
"""
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, kong: ManagedKong, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command with one gateway, and `apps.yaml` with service 0 as what is wanted."""
    # Logging is set up for a process, and here that is the tests'.
    monkeypatch.setattr(logs, "configure", lambda _level: None)
    (tmp_path / "apps.yaml").write_text(APPS)
    gateways = tmp_path / "kong.yaml"
    gateways.write_text(f"gateways: [{{name: edge, admin_url: '{kong.admin_url}', config: {{realm: x}}}}]\n")

    def run(*arguments: str) -> Result:
        words = ["kong", *arguments, "--region", "eu", "--kong-file", str(gateways)]
        if "--redis-url" not in arguments:
            words += ["--from-file", "--apps-file", str(tmp_path / "apps.yaml")]
        return CliRunner().invoke(cli.app, words)

    return run


def test_plan_diff_and_apply(run: Run, kong: ManagedKong) -> None:
    planned = run("plan")
    assert planned.exit_code == 3
    lines = planned.stdout.splitlines()
    assert lines == [
        f"# edge ({kong.admin_url}): to be changed",
        f"enforce {service_id(0)}: add app-auth",
    ]
    assert kong.carried() == {}
    shown = run("diff")
    assert shown.exit_code == 3
    assert f"+  id: {service_id(0)}" in shown.stdout
    assert "+  max_staleness: 3600" in shown.stdout
    applied = run("apply")
    assert (applied.exit_code, applied.stdout.splitlines()[-1]) == (0, "edge: 1 changed")
    assert set(kong.carried()) == {service_id(0)}
    assert (run("plan").exit_code, run("diff").exit_code) == (0, 0)
    kong(
        "PATCH",
        f"/plugins/{plugin_id(REGION, service_id(0), APP_AUTH)}",
        json={"config": {"realm": "y"}, "enabled": False},
    )
    planned = run("plan")
    assert 'change app-auth (enabled: false instead of true; config.realm: "y" instead of "x")' in planned.stdout
    changed = [line for line in run("diff").stdout.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert changed == ["-  realm: y", "+  realm: x", "-enabled: false", "+enabled: true"]


def test_what_is_in_the_way_is_said(run: Run, kong: ManagedKong) -> None:
    theirs = {"name": APP_AUTH, "service": {"id": service_id(0)}, "config": {"region": "us"}}
    kong("POST", "/plugins", json=theirs)
    applied = run("apply")
    assert applied.exit_code == 1
    assert "which is not ours" in applied.stdout
    for one in kong.plugins():
        kong("DELETE", f"/plugins/{one['id']}")
    kong("DELETE", f"/routes/{service_id(0)}")
    kong("DELETE", f"/services/{service_id(0)}")
    planned = run("plan")
    assert (planned.exit_code, f"# {service_id(0)}: there is no such Gateway Service here" in planned.stdout) == (
        0,
        True,
    )
    assert run("apply").exit_code == 1


def test_a_gateway_that_is_away(run: Run, tmp_path: Path) -> None:
    (tmp_path / "kong.yaml").write_text(f"gateways: [{{name: edge, admin_url: 'http://127.0.0.1:{free_port()}'}}]\n")
    for command in ("plan", "diff", "apply"):
        result = run(command)
        assert result.exit_code == 1, command
        assert "cannot be connected to" in result.stdout


def test_the_registry_says_what_is_wanted(run: Run, valkey: RedisServer, kong: ManagedKong) -> None:
    result = run("plan", "--redis-url", valkey.url)
    assert (result.exit_code, "no complete registry" in result.stderr) == (1, True)
    with connect(valkey.url) as client:
        writer = Writer(client, REGION)
        assert writer.acquire()
        writer.begin_epoch()
        writer.write(diff(Contents(), contents({1}, {1: 1})))
        writer.complete()
    result = run("apply", "--redis-url", valkey.url)
    assert (result.exit_code, set(kong.carried())) == (0, {service_id(1)})


def test_render_is_always_the_same_and_fits_into_a_file(run: Run, tmp_path: Path) -> None:
    first = run("render")
    assert (first.exit_code, first.stdout) == (0, run("render").stdout)
    document = yaml.safe_load(first.stdout)
    assert document["_info"] == {"select_tags": ["app-auth-managed", "app-auth-region-eu"]}
    (plugin,) = document["plugins"]
    assert (plugin["service"], plugin["config"]) == (service_id(0), {"realm": "x", "region": "eu"})
    theirs = f"# theirs\nservices:\n- {{name: weather, id: {service_id(0)}, host: h}}\n"
    (tmp_path / "kong.yml").write_text(theirs)
    result = run("render", "--into", str(tmp_path / "kong.yml"))
    assert result.exit_code == 0
    assert result.stdout.startswith(theirs)
    assert yaml.safe_load(result.stdout)["plugins"][0]["service"] == "weather"
    (tmp_path / "kong.yml").write_text(theirs + "plugins: null")
    assert run("render", "--into", str(tmp_path / "kong.yml")).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("plan", "--gateway", "other"), "there is no gateway other"),
        (("plan", "--kong-file", "nowhere.yaml"), "cannot read nowhere.yaml"),
        (("plan", "--apps-file", "nowhere.yaml"), "cannot read nowhere.yaml"),
        (("render", "--into", "nowhere.yaml"), "cannot read nowhere.yaml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_settings_end_with_2_and_a_line(run: Run, arguments: tuple[str, ...], says: str, tmp_path: Path) -> None:
    if "--kong-file" in arguments or "--apps-file" in arguments:
        words = ["kong", *arguments, "--region", "eu", "--from-file"]
        if "--kong-file" not in arguments:
            words += ["--kong-file", str(tmp_path / "kong.yaml")]
        result = CliRunner().invoke(cli.app, words)
    else:
        result = run(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
