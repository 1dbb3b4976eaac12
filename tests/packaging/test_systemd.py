"""The systemd units: what they start, what they forbid; by systemd's own tools where they are there."""

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from kong_app_auth.settings import ENV_PREFIX, Settings
from tests.packaging.parts import KONG, check_process, commands, kong_lines

UNITS = sorted((KONG / "systemd").glob("*.service"))
MOST_EXPOSED = 2.0
"""Of 10, by `systemd-analyze security`; what a unit gets that forbids nothing is 9.6."""
FORBIDDEN = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectControlGroups": "yes",
    "RestrictSUIDSGID": "yes",
    "LockPersonality": "yes",
    "CapabilityBoundingSet": "",
}


def directives(unit: Path) -> dict[str, list[str]]:
    """Every directive of a unit with its values."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, value in re.findall(r"^([A-Za-z]+)=(.*)$", unit.read_text(), re.MULTILINE):
        found[name].append(value)
    return found


def name(unit: Path) -> str:
    return unit.stem


@pytest.mark.parametrize("unit", UNITS, ids=name)
def test_it_starts_what_there_is(unit: Path) -> None:
    found = directives(unit)
    (start,) = found["ExecStart"]
    program, command = start.split()
    assert program == "/opt/kong-app-auth/bin/kong-app-auth"
    assert command == unit.stem.removeprefix("kong-app-auth-")
    assert command in commands()
    given = dict(one.split("=", 1) for one in found.get("Environment", []))
    check_process(command, given)
    named = re.findall(rf"{ENV_PREFIX}[A-Z_]+[A-Z]\b(?!_)", unit.read_text())
    assert all(one.removeprefix(ENV_PREFIX).lower() in Settings.model_fields for one in named)


@pytest.mark.parametrize("unit", UNITS, ids=name)
def test_it_may_do_little(unit: Path) -> None:
    found = directives(unit)
    assert {key: found[key][0] for key in FORBIDDEN} == FORBIDDEN
    assert found["User"][0] not in ("root", "")
    assert found["Restart"] == ["always"]


def test_each_process_has_a_user_of_its_own() -> None:
    users = [directives(unit)["User"][0] for unit in UNITS]
    assert len(set(users)) == len(UNITS)


def test_the_plugin_servers_directory_is_kong_s_too_and_outlives_it() -> None:
    found = directives(KONG / "systemd" / "kong-app-auth-plugin-server.service")
    assert found["RuntimeDirectoryPreserve"] == ["yes"]
    assert found["RuntimeDirectoryMode"] == ["0750"]
    lines = kong_lines()
    (socket, query) = (lines[f"pluginserver_app_auth_{what}"] for what in ("socket", "query_cmd"))
    assert Path(socket).parent == Path("/run") / found["RuntimeDirectory"][0]
    assert query.removeprefix("cat ") in found["ExecStartPre"][0]


@pytest.fixture
def analyze() -> str:
    """systemd-analyze, where it is new enough to look at files."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed")
    return program


@pytest.mark.parametrize("unit", UNITS, ids=name)
def test_systemd_understands_it(unit: Path, analyze: str, tmp_path: Path) -> None:
    # systemd wants the program to be there.
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/opt/kong-app-auth/bin/kong-app-auth ", "/bin/echo "))
    done = subprocess.run(
        [analyze, "verify", "--man=no", copy], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=name)
def test_systemd_finds_it_little_exposed(unit: Path, analyze: str) -> None:
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", unit],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert level, done.stderr
    assert float(level[1]) <= MOST_EXPOSED
