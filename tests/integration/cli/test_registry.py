"""`registry show` and `registry verify` on a real Valkey."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml
from typer.testing import CliRunner, Result

from kong_app_auth import cli
from kong_app_auth.domain.api_key import digest, mint
from kong_app_auth.domain.records import Application, CredentialState, RegistrationState
from kong_app_auth.registry.changes import in_batches
from kong_app_auth.registry.connection import connect
from kong_app_auth.registry.contents import Contents, diff
from kong_app_auth.registry.keys import Keys, Table
from kong_app_auth.registry.position import Position
from kong_app_auth.registry.records import SCHEMA_VERSION
from kong_app_auth.registry.writer import Writer
from kong_app_auth.sync.declarative.document import parse
from tests.servers.copies import make_replica
from tests.servers.redis import RedisServer

KEY = mint("eu")
KEYS = Keys("eu")
SECRET = "hunter2-and-more"


def source(path: Path, status: str = "approved", *, expires: str | None = None) -> Path:
    credential = {"name": "first", "key": KEY, **({"expires_at": expires} if expires else {})}
    application = {
        "name": "dashboard",
        "developer": "alice",
        "registrations": [{"api": "Weather API v1", "status": status}],
        "credentials": [credential],
    }
    document = {
        "_format_version": "1.0",
        "region": "eu",
        "auth_strategies": [{"name": "keys", "strategy_type": "key_auth"}],
        "apis": [{"name": "Weather API", "version": "v1"}],
        "portals": [
            {
                "name": "Production",
                "default_auth_strategy": "keys",
                "publications": [{"api": "Weather API v1"}],
                "developers": [{"name": "alice"}],
                "applications": [application],
            }
        ],
    }
    file = path / "apps.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


def meant(file: Path) -> Contents:
    found = parse(file.read_bytes(), str(file), "eu")
    assert isinstance(found, Contents)
    return found


def write(server: RedisServer, contents: Contents) -> Position:
    """Fill the region, and give its position."""
    client = connect(server.url)
    writer = Writer(client, "eu")
    assert writer.acquire()
    position = writer.begin_epoch()
    for batch in in_batches(diff(Contents(), contents)):
        writer.write(batch)
    position = writer.complete()
    writer.release()
    client.close()
    assert isinstance(position, Position)
    return position


class Stage:
    def __init__(self, server: RedisServer, path: Path) -> None:
        self.server = server
        self.file = source(path)
        self.replica = path / "replica"
        self.contents = meant(self.file)
        self.position = write(server, self.contents)
        make_replica(self.replica, self.contents, heard=time.time(), position=self.position)

    def run(self, *words: str, **environment: str) -> Result:
        given = {
            "APP_AUTH_REGION": "eu",
            "APP_AUTH_REDIS_URL": self.server.url,
            "APP_AUTH_APPS_FILE": str(self.file),
            "APP_AUTH_REPLICA_DIRECTORY": str(self.replica),
            **environment,
        }
        if "verify" not in words:
            del given["APP_AUTH_APPS_FILE"], given["APP_AUTH_REPLICA_DIRECTORY"]
        result = CliRunner().invoke(cli.app, ["registry", *words], env=given)
        assert KEY not in result.output
        assert digest(KEY).hex() not in result.output
        return result


@pytest.fixture
def stage(valkey: RedisServer, tmp_path: Path) -> Iterator[Stage]:
    return Stage(valkey, tmp_path)


class TestShow:
    def test_where_the_registry_stands_and_how_much_it_holds(self, stage: Stage) -> None:
        result = stage.run("show")
        assert result.exit_code == 0
        where, counts = (json.loads(line) for line in result.stdout.splitlines())
        assert where == {"region": "eu", **msgspec.structs.asdict(stage.position)}
        assert counts == {
            "apis": 1,
            "services": 0,
            "strategies": 1,
            "applications": 1,
            "credentials": 1,
            "clients": 0,
            "issuers": 0,
        }

    def test_the_records_of_a_table_in_words(self, stage: Stage) -> None:
        (application,) = (json.loads(line) for line in stage.run("show", "--table", "applications").stdout.splitlines())
        (known,) = stage.contents.applications.values()
        assert application["id"] == known.id
        assert list(application["registrations"].values()) == ["approved"]
        (api,) = (json.loads(line) for line in stage.run("show", "--table", "apis").stdout.splitlines())
        assert set(api["accepts"][0]) == {"portal_id", "strategy_id"}

    def test_credentials_without_what_they_are_found_by(self, stage: Stage) -> None:
        (credential,) = (json.loads(line) for line in stage.run("show", "--table", "credentials").stdout.splitlines())
        assert set(credential) == {"id", "application_id", "state", "expires_at"}
        assert credential["state"] == "active"

    def test_a_table_that_is_none(self, stage: Stage) -> None:
        result = stage.run("show", "--table", "keys")
        assert result.exit_code == 1
        assert "there is no table 'keys'; there are apis, services" in result.stderr


class TestWithoutARegistry:
    @pytest.mark.parametrize("command", ["show", "verify"])
    def test_nothing_there(self, stage: Stage, command: str) -> None:
        stage.server.flush()
        result = stage.run(command)
        assert result.exit_code == 1
        assert result.stderr == "Error: there is no complete registry of the region eu in this Redis\n"

    @pytest.mark.parametrize("command", ["show", "verify"])
    def test_of_another_region(self, stage: Stage, command: str) -> None:
        assert "region us" in stage.run(command, APP_AUTH_REGION="us").stderr

    @pytest.mark.parametrize("command", ["show", "verify"])
    def test_written_by_a_newer_version(self, stage: Stage, command: str) -> None:
        with stage.server.client() as client:
            client.hset(KEYS.meta, "schema", 99)
        result = stage.run(command)
        assert result.exit_code == 1
        assert result.stderr == f"Error: the registry has schema version 99; this program knows {SCHEMA_VERSION}\n"

    def test_out_of_reach(self, stage: Stage) -> None:
        result = stage.run("show", APP_AUTH_REDIS_URL=f"redis://user:{SECRET}@127.0.0.1:1/0")
        assert result.exit_code == 1
        assert result.stderr == "Error: cannot read from redis://127.0.0.1:1/0: ConnectionError\n"

    def test_a_wrong_password(self, stage: Stage) -> None:
        result = stage.run("show", APP_AUTH_REDIS_USERNAME="nobody", APP_AUTH_REDIS_PASSWORD=SECRET)
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: cannot read from redis://127.0.0.1")
        assert SECRET not in result.output


class TestVerify:
    def lines(self, result: Result, *, differs: bool) -> list[str]:
        assert result.exit_code == int(differs), result.output
        assert result.stderr == ""
        return [line for line in result.stdout.splitlines() if line.startswith("DIFFERS")]

    def test_all_the_same(self, stage: Stage) -> None:
        result = stage.run("verify")
        assert self.lines(result, differs=False) == []
        assert "Redis and the replica: at the same batch" in result.stdout
        assert "1 and 1 credentials" in result.stdout

    def test_the_source_was_edited(self, stage: Stage) -> None:
        (application,) = stage.contents.applications
        source(stage.file.parent, "revoked")
        (line,) = self.lines(stage.run("verify"), differs=True)
        assert line == f"DIFFERS  {stage.file} and Redis: 1 and 1 applications, 1 of them not the same: {application}"

    def test_a_credential_is_named_by_its_id(self, stage: Stage) -> None:
        (credential,) = stage.contents.credentials.values()
        source(stage.file.parent, expires="2100-01-01T00:00:00Z")
        (line,) = self.lines(stage.run("verify"), differs=True)
        assert line.endswith(f"credentials, 1 of them not the same: {credential.id}")

    def test_redis_was_meddled_with(self, stage: Stage) -> None:
        with stage.server.client() as client:
            client.delete(KEYS.table(Table.CREDENTIALS))
        found = self.lines(stage.run("verify"), differs=True)
        assert len(found) == 2
        assert "1 and 0 credentials" in found[0]
        assert "0 and 1 credentials" in found[1]

    def test_the_replica_is_behind_and_has_another_record(self, stage: Stage, tmp_path: Path) -> None:
        (application,) = stage.contents.applications.values()
        other = meant(stage.file)
        state = dict.fromkeys(application.registrations, RegistrationState.PENDING)
        other.applications[application.id] = msgspec.structs.replace(application, registrations=state)
        directory = tmp_path / "behind"
        behind = msgspec.structs.replace(stage.position, seq=stage.position.seq - 1)
        make_replica(directory, other, heard=time.time(), position=behind)
        found = self.lines(stage.run("verify", APP_AUTH_REPLICA_DIRECTORY=str(directory)), differs=True)
        assert found == [
            f"DIFFERS  Redis and the replica: the replica is at batch {behind.seq}, Redis at {stage.position.seq}",
            f"DIFFERS  Redis and the replica: 1 and 1 applications, 1 of them not the same: {application.id}",
        ]

    def test_no_more_than_five_ids_are_shown(self, stage: Stage, tmp_path: Path) -> None:
        other = meant(stage.file)
        for number in range(7):
            identity = f"00000000-0000-4000-8000-00000000000{number}"
            other.applications[identity] = Application(identity, "p", "s")
        make_replica(tmp_path / "more", other, heard=time.time(), position=stage.position)
        (line,) = self.lines(stage.run("verify", APP_AUTH_REPLICA_DIRECTORY=str(tmp_path / "more")), differs=True)
        assert "1 and 8 applications, 7 of them not the same" in line
        assert line.count("00000000-0000-4000-8000") == 5
        assert line.endswith(", …")

    def test_what_is_not_there_is_not_compared(self, stage: Stage, tmp_path: Path) -> None:
        nowhere = {"APP_AUTH_APPS_FILE": str(tmp_path / "no"), "APP_AUTH_REPLICA_DIRECTORY": str(tmp_path / "none")}
        result = stage.run("verify", **nowhere)
        assert self.lines(result, differs=False) == []
        assert result.stdout.count("not compared") == 2

    def test_a_broken_source_is_a_difference_with_its_place(self, stage: Stage) -> None:
        stage.file.write_text(stage.file.read_text().replace("status: approved", "status: allowed"))
        (line,) = self.lines(stage.run("verify"), differs=True)
        assert f"the file is refused: {stage.file}:" in line

    def test_a_revoked_credential_in_the_source_only(self, stage: Stage) -> None:
        (credential,) = stage.contents.credentials.values()
        assert credential.state is CredentialState.ACTIVE
        stage.file.write_text(stage.file.read_text().replace("name: first", "name: first\n      status: revoked"))
        (line,) = self.lines(stage.run("verify"), differs=True)
        assert credential.id in line
