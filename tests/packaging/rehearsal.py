"""The Compose set-up without a Docker engine: its own commands, environments and healthchecks, as processes here.

Each service has a directory in the place of its file system, with links to the volumes that it mounts; names of other
services become this machine, ports become free ones. What is not ours is stood in for: PostgreSQL by SQLite, Kong by
the development gateway (which has none of Kong's own plugins), Valkey by the wheel's, with the arguments of the file.
"""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.packaging.parts import COMPOSE, KONG, ROOT
from tests.servers.process import end, free_port, start, wait_until
from tests.servers.redis import VALKEY

_PLACES = ("/etc/kong-app-auth", "/run/kong-app-auth", "/var/lib/kong-app-auth")


class Rehearsal:
    """A run of the file. `programs`: where the image's programs are, the virtual environment's and the scripts."""

    def __init__(self, directory: Path, programs: list[Path]) -> None:
        self._directory = directory
        self._path = ":".join([*map(str, programs), "/usr/bin", "/bin"])
        self._services: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
        self._ports: dict[tuple[str, str], int] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        for name, service in self._services.items():
            self._mount(name, service)

    def close(self) -> None:
        """End all, those first that need the others."""
        for process in reversed(list(self._running.values())):
            end(process, 15)

    def port(self, service: str, port: int | str) -> int:
        """The port here that stands for a service's."""
        return self._ports.setdefault((service, str(port)), free_port())

    def log(self, name: str) -> str:
        """What a service has said."""
        return (self._directory / f"{name}.log").read_text()

    def volume(self, name: str) -> Path:
        """The directory of a volume."""
        return self._directory / "volumes" / name

    def file(self, service: str, path: str) -> Path:
        """A file as a service sees it."""
        return self._directory / service / path.lstrip("/")

    def run(self, name: str) -> str:
        """Run a job to its end, and give what it said."""
        command, environment = self._process(name)
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
        )
        said = {name: self.log(name)[-3000:] for name in self._running}
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}\n{said}"
        return done.stdout + done.stderr

    def up(self, name: str) -> None:
        """Start a server of ours, and wait until its healthcheck is content."""
        command, environment = self._process(name)
        self._running[name] = start(command, self._directory / f"{name}.log", env=environment, cwd=self._directory)
        wait_until(lambda: self.healthy(name), f"{name} is healthy")

    def healthy(self, name: str) -> bool:
        """Run a service's healthcheck."""
        process = self._running[name]
        assert process.poll() is None, f"{name} ended:\n{self.log(name)[-3000:]}"
        kind, *command = self._services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        asked = [self._here(name, part) for part in command]
        environment = {"PATH": self._path}
        done = subprocess.run(asked, env=environment, capture_output=True, check=False, timeout=20)
        return done.returncode == 0

    def up_valkey(self) -> None:
        """Start the wheel's Valkey with the arguments of the file, on a port of its own."""
        arguments = [self._here("valkey", part) for part in self._services["valkey"]["command"][1:]]
        port = self.port("valkey", 6379)
        command = [str(VALKEY), *arguments, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(self._directory)]
        self._running["valkey"] = start(command, self._directory / "valkey.log")
        wait_until(lambda: "Ready to accept connections" in self.log("valkey"), "valkey is up")

    def up_kong(self) -> None:
        """Start the development gateway with Kong's file and Kong's listeners."""
        environment = self._services["kong"]["environment"]
        declared = yaml.safe_load((KONG / "compose" / "kong.yml").read_text())
        for service in declared["services"]:
            service["url"] = self._here("kong", service["url"])
            service["plugins"] = [one for one in service["plugins"] if one["name"] == "app-auth"]
        file = self._directory / "kong.yml"
        file.write_text(yaml.safe_dump(declared))
        path = self._here("kong", environment["KONG_PLUGINSERVER_APP_AUTH_SOCKET"])
        listen = {key: self._here("kong", environment[f"KONG_{key}_LISTEN"]) for key in ("PROXY", "ADMIN")}
        command = [sys.executable, "-P", "-m", "kong_app_auth.cli", "gateway", "--declarative-config", str(file)]
        command += ["--socket", path, "--proxy-listen", listen["PROXY"], "--admin-listen", listen["ADMIN"]]
        env = {key: value for key, value in os.environ.items() if not key.startswith("APP_AUTH_")}
        self._running["kong"] = start(command, self._directory / "kong.log", env=env)
        wait_until(lambda: self._listens("kong", 8000), "the gateway is up")

    def _listens(self, name: str, port: int) -> bool:
        assert self._running[name].poll() is None, f"{name} ended:\n{self.log(name)[-3000:]}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port(name, port))) == 0

    def use_sqlite(self) -> None:
        """Have the portal use a database of this directory: where PostgreSQL is, is its image's affair."""
        file = self.file("portal", "/etc/kong-app-auth/portal/settings.yaml")
        settings = json.loads(file.read_text())
        assert re.fullmatch(r"postgresql://kong_app_auth:[\w-]{43}@postgres/kong_app_auth", settings["database_url"])
        settings["database_url"] = f"sqlite:///{self._directory / 'portal.db'}"
        file.chmod(0o600)
        file.write_text(json.dumps(settings))

    def _mount(self, name: str, service: dict[str, Any]) -> None:
        root = self._directory / name
        for place in _PLACES:
            (root / place.lstrip("/")).mkdir(parents=True)
        for one in service.get("volumes", []):
            source, target = (one["source"], one["target"]) if isinstance(one, dict) else one.split(":")[:2]
            if not target.startswith(_PLACES):
                continue  # another image's affair
            volume = self.volume(source)
            volume.mkdir(parents=True, exist_ok=True)
            place = root / target.lstrip("/")
            if place.exists():
                place.rmdir()
            place.symlink_to(volume)

    def _process(self, name: str) -> tuple[list[str], dict[str, str]]:
        service = self._services[name]
        entrypoint = service.get("entrypoint", ["kong-app-auth"])
        command = [self._here(name, part) for part in [*entrypoint, *service.get("command", [])]]
        environment = {key: self._here(name, value) for key, value in service.get("environment", {}).items()}
        return command, {**environment, "PATH": self._path, "PYTHONUNBUFFERED": "1"}

    def _here(self, name: str, text: str) -> str:
        """A part of a command or a value as it is on this machine."""
        text = text.replace("/opt/kong-app-auth/compose/", f"{ROOT}/kong/compose/")
        for place in _PLACES:
            text = text.replace(place, str(self._directory / name) + place)
        text = re.sub(r"\b(?:0\.0\.0\.0|127\.0\.0\.1):(\d+)", lambda m: f"127.0.0.1:{self.port(name, m[1])}", text)
        others = "|".join(self._services)
        return re.sub(rf"//({others}):(\d+)", lambda m: f"//127.0.0.1:{self.port(m[1], m[2])}", text)
