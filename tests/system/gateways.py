"""The two gateways that these tests know: the development gateway as a process of ours, and somebody's Kong."""

import http.client
import json
import sys
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec

from tests.servers.process import end, free_port, start, wait_until


class Kong(msgspec.Struct, frozen=True):
    """A Kong that runs already: its URLs, and the socket that it is configured with."""

    proxy: str
    admin: str
    socket: Path
    upstream_host: str


class Gateway(Protocol):
    """What clients and operators see of a gateway. `real` is whether it is Kong."""

    real: bool
    address: tuple[str, int]
    socket: Path
    upstream_host: str

    def start(self, configuration: dict[str, Any], environment: dict[str, str]) -> None:
        """Start it, or take it into use, with a declarative configuration."""
        ...

    def apply(self, configuration: dict[str, Any]) -> None:
        """Put a declarative configuration in force."""
        ...

    def stop(self) -> None:
        """End it, or leave it."""
        ...


class DevelopmentGateway:
    """`kong-app-auth gateway` on free ports; its files are in `directory`."""

    real = False
    upstream_host = "127.0.0.1"

    def __init__(self, directory: Path) -> None:
        self.address: tuple[str, int] = ("127.0.0.1", free_port())
        self.socket = directory / "app-auth.sock"
        self._admin: tuple[str, int] = ("127.0.0.1", free_port())
        self._directory = directory

    @property
    def admin_url(self) -> str:
        return "http://{}:{}".format(*self._admin)

    def start(self, configuration: dict[str, Any], environment: dict[str, str]) -> None:
        file = self._directory / "kong.yaml"
        file.write_text(json.dumps(configuration))
        command: list[str | Path] = [
            *(sys.executable, "-P", "-m", "kong_app_auth.cli", "gateway"),
            *("--declarative-config", file, "--socket", self.socket),
            *("--proxy-listen", f"127.0.0.1:{self.address[1]}", "--admin-listen", f"127.0.0.1:{self._admin[1]}"),
        ]
        self.process = start(command, self._directory / "gateway.log", env=environment)
        wait_until(self._answers, f"the gateway is up: {self._directory}/gateway.log")

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self._directory / "gateway.log").read_text()[-2000:]
        try:
            return ask_admin(self._admin, "GET", "/status")[0] == 200
        except ConnectionRefusedError:
            return False

    def apply(self, configuration: dict[str, Any]) -> None:
        _post_config(self._admin, configuration)

    def stop(self) -> None:
        end(self.process)


class RunningKong:
    """A Kong without a database that somebody else has started. What it was configured with is replaced."""

    real = True

    def __init__(self, kong: Kong) -> None:
        self.address = _address(kong.proxy)
        self.socket = kong.socket
        self.upstream_host = kong.upstream_host
        self._admin = _address(kong.admin)

    def start(self, configuration: dict[str, Any], environment: dict[str, str]) -> None:
        self.apply(configuration)

    def apply(self, configuration: dict[str, Any]) -> None:
        _post_config(self._admin, configuration)

    def stop(self) -> None:
        """Leave it as it is."""


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.scheme == "http", f"not an http:// URL: {url}"
    assert parts.hostname, url
    return parts.hostname, parts.port or 80


def ask_admin(address: tuple[str, int], method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """One request to an Admin API."""
    connection = http.client.HTTPConnection(*address, timeout=20)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _post_config(address: tuple[str, int], configuration: dict[str, Any]) -> None:
    status, body = ask_admin(address, "POST", "/config", json.dumps({"config": json.dumps(configuration)}).encode())
    assert status == 201, f"{status} {body[:2000]!r}"
