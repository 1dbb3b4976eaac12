"""The file with a gateway node's own credentials."""

import json
import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kong_app_auth.oidc import gateway_credentials
from kong_app_auth.oidc.gateway_credentials import GatewayCredential, GatewayCredentials, from_environment

ISSUER = "https://issuer.example.com"


@pytest.fixture(autouse=True)
def look_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_credentials, "_LOOK_EVERY", 0.0)


def write(file: Path, secret: str = "s3cret") -> Path:
    new = file.with_suffix(".new")
    new.write_text(json.dumps({ISSUER: {"client_id": "gateway", "client_secret": secret}}))
    new.chmod(0o600)
    new.replace(file)
    return file


def test_by_issuer_and_read_again_when_changed(tmp_path: Path) -> None:
    file = write(tmp_path / "file.json")
    credentials = GatewayCredentials(file)
    with capture_logs() as logs:
        assert credentials.of(ISSUER) == GatewayCredential("gateway", "s3cret")
        assert credentials.of("https://another.example.com") is None
        write(file, "changed")
        assert credentials.of(ISSUER) == GatewayCredential("gateway", "changed")
    assert logs == []


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"x": 1}', '{"x": {"client_id": "s3cret"}}', '{"x": {"client_id": 1, "client_secret": "s3cret"}}'],
)
def test_a_file_that_is_none_says_nothing_and_is_complained_of_once(tmp_path: Path, content: str) -> None:
    file = write(tmp_path / "file.json")
    credentials = GatewayCredentials(file)
    assert credentials.of(ISSUER) is not None
    file.write_text(content)
    os.utime(file, (1, 1))
    with capture_logs() as logs:
        for _ in range(3):
            assert credentials.of(ISSUER) is None
    assert [one["event"] for one in logs] == ["issuer credentials cannot be read"]
    assert "s3cret" not in str(logs)


def test_a_file_that_is_not_there_comes_later(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    credentials = GatewayCredentials(file)
    with capture_logs() as logs:
        assert credentials.of(ISSUER) is None
        assert credentials.of(ISSUER) is None
    assert [one["error"] for one in logs] == ["FileNotFoundError"]
    write(file)
    assert credentials.of(ISSUER) is not None


def test_a_file_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    file = write(tmp_path / "file.json")
    file.chmod(0o644)
    with capture_logs() as logs:
        assert GatewayCredentials(file).of(ISSUER) is not None
    assert [one["log_level"] for one in logs] == ["warning"]


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(gateway_credentials.FILE, raising=False)
    assert from_environment().of(ISSUER) is None
    monkeypatch.setenv(gateway_credentials.FILE, str(write(tmp_path / "file.json")))
    assert from_environment().of(ISSUER) is not None


def test_the_secret_is_not_shown() -> None:
    assert "s3cret" not in repr(GatewayCredential("gateway", "s3cret"))
