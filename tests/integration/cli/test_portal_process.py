"""`kong-app-auth portal`: wrong settings end it with one line and exit code 2; what it makes is its owner's alone."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import pytest

from kong_app_auth.settings import ENV_PREFIX
from tests.servers.process import end, free_port, start, wait_until

COMMAND = [sys.executable, "-P", "-m", "kong_app_auth.cli", "portal"]


def environment(directory: Path, **settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
    given = {"database_url": f"sqlite:///{directory / 'portal.db'}", "portal_listen": f"127.0.0.1:{free_port()}"}
    return inherited | {ENV_PREFIX + name.upper(): value for name, value in (given | settings).items()}


@pytest.mark.parametrize(
    "settings",
    [
        {"database_url": "mysql://root:secret-of-the-test@127.0.0.1/portal"},
        {"database_url": "sqlite:///"},
        {"database_url": "postgresql://u:secret-of-the-test@127.0.0.1:1/portal"},
        {"vault_keys": "secret-of-the-test"},
        {"feed_tokens": "eu=short"},
        {"feed_tokens": "us=a-token-of-a-region-that-is-not-served"},
        {"portal_regions": "EU"},
        {"public_url": "ftp://portal.example"},
    ],
    ids=str,
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(tmp_path: Path, settings: dict[str, str]) -> None:
    ended = subprocess.run(
        COMMAND, env=environment(tmp_path, **settings), capture_output=True, text=True, timeout=60, check=False
    )

    told = ended.stdout + ended.stderr
    assert ended.returncode == 2, told
    assert len(told.strip().splitlines()) == 1, told
    assert "secret-of-the-test" not in told
    assert "Traceback" not in told


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = subprocess.run(
            COMMAND, env=environment(tmp_path, portal_listen=listen), capture_output=True, timeout=60, check=False
        )

    assert ended.returncode == 2
    assert b"cannot listen" in ended.stdout + ended.stderr


def test_a_portal_that_is_told_to_ends_and_its_files_are_its_owners(tmp_path: Path) -> None:
    settings = environment(tmp_path)
    url = f"http://{settings[ENV_PREFIX + 'PORTAL_LISTEN']}/internal/v1/ready"
    process = start(COMMAND, tmp_path / "portal.log", env=settings)
    try:

        def is_ready() -> bool:
            assert process.poll() is None, (tmp_path / "portal.log").read_text()
            try:
                return httpx.get(url, timeout=5).status_code == 200
            except httpx.HTTPError:
                return False

        wait_until(is_ready, "the portal is ready")
        process.terminate()
        assert process.wait(30) == 0
    finally:
        end(process)
    for file in tmp_path.glob("portal.db*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
