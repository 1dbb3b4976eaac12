"""docker-compose.yml: in the form of its specification, right about our commands and settings, and confined."""

import json
import re
from typing import Any

import jsonschema
import pytest
import yaml

from kong_app_auth.sync.kong.gateways import read_gateways
from kong_app_auth.sync.kong.render import rendered_into
from kong_app_auth.sync.kong.wanted import Wanted
from tests.packaging.parts import COMPOSE, KONG, ROOT, SCHEMAS, check_process, kong_lines

FILE: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"].startswith("kong-app-auth:")}
SECRET = re.compile(r"(PASSWORD|TOKENS?|KEYS?|SECRET|DATABASE_URL)$")
SETTINGS = {
    "portal-settings": {"portal", "seed"},
    "sync-settings": {"sync"},
    "gateway-settings": {"plugin-server"},
    "valkey-users": {"valkey"},
    "postgres-password": {"postgres"},
}
"""Who mounts what is secret, beside the job that makes it."""


def mounts(service: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """The mounts of a service: what, where, and whether it may write there."""
    found: dict[str, tuple[str, bool]] = {}
    for one in service.get("volumes", []):
        if isinstance(one, dict):
            found[one["source"]] = (one["target"], not one.get("read_only"))
        else:
            what, where, *how = one.split(":")
            found[what] = (where, "ro" not in how)
    return found


def test_it_is_in_the_form_of_the_specification() -> None:
    schema = json.loads((SCHEMAS / "compose-spec.json").read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(FILE)] == []


@pytest.mark.parametrize("name", [name for name in OURS if "command" in OURS[name]], ids=str)
def test_our_processes_are_called_as_they_are(name: str) -> None:
    service = OURS[name]
    environment = service.get("environment", {})
    if service.get("entrypoint", [""])[0] == "python":
        script = service["entrypoint"][1]
        assert (KONG / "compose" / script.removeprefix("/opt/kong-app-auth/compose/")).is_file()
        return
    command = "plugin-server" if service.get("entrypoint") == ["plugin-server-beside-kong"] else service["command"][0]
    check_process(command, environment)


@pytest.mark.parametrize("name", OURS, ids=str)
def test_our_containers_are_confined(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "user" not in service  # the image's, which is not root
    assert not {"privileged", "pid", "ipc", "devices", "cap_add"} & service.keys()


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in ("init", "seed")], ids=str)
def test_every_server_has_a_healthcheck_and_comes_back(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_only_loopback_ports_are_published() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_secrets_are_seen_by_their_reader_only() -> None:
    for volume, readers in SETTINGS.items():
        mounting = {name for name, service in SERVICES.items() if volume in mounts(service)}
        assert mounting == readers | {"init"}
        for reader in readers:
            assert mounts(SERVICES[reader])[volume][1] is False, f"{reader} may write to {volume}"
    plain = [name for one in SERVICES.values() for name in one.get("environment", {}) if SECRET.search(name)]
    assert plain == []


def test_what_is_mounted_and_joined_is_there() -> None:
    used = {what for service in SERVICES.values() for what in mounts(service)}
    assert {what for what in used if not what.startswith(".")} == set(FILE["volumes"])
    assert all((ROOT / what).is_file() for what in used if what.startswith("."))
    joined = {network for service in SERVICES.values() for network in service.get("networks", [])}
    assert joined == set(FILE["networks"])
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", {})) <= set(SERVICES), name


def test_whom_a_process_calls_is_on_a_network_with_it() -> None:
    for name, service in SERVICES.items():
        for value in service.get("environment", {}).values():
            for host in re.findall(r"//([a-z-]+):\d+", value):
                if host != "localhost":
                    assert set(service["networks"]) & set(SERVICES[host]["networks"]), f"{name} cannot reach {host}"
    upstream = re.search(r"url: http://([a-z-]+):", (KONG / "compose" / "kong.yml").read_text())
    assert upstream
    assert set(SERVICES["kong"]["networks"]) & set(SERVICES[upstream[1]]["networks"])


def test_kong_is_the_stock_one_with_the_lines_of_the_quick_start() -> None:
    kong = SERVICES["kong"]
    assert kong["image"] == "kong:3.9.1"
    assert not {"build", "entrypoint", "command", "user"} & kong.keys()
    for name, value in kong_lines().items():
        assert kong["environment"][f"KONG_{name.upper()}"] == value
    server = SERVICES["plugin-server"]["environment"]
    assert kong["environment"]["KONG_PLUGINSERVER_APP_AUTH_SOCKET"] == server["APP_AUTH_SOCKET"]
    assert mounts(kong)["socket"] == ("/run/kong-app-auth", False)


def test_the_file_for_managed_plugins_fits_over_this_one() -> None:
    over: dict[str, Any] = yaml.safe_load((KONG / "compose" / "managed.yml").read_text())
    schema = json.loads((SCHEMAS / "compose-spec.json").read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(over)] == []
    assert set(over["services"]) <= set(SERVICES)
    check_process("sync", SERVICES["sync"]["environment"] | over["services"]["sync"]["environment"])
    # Who is in the network of the Admin API: Kong and the daemon, and nobody from outside.
    assert over["networks"]["kong-admin"]["internal"] is True
    inside = {name for name, one in over["services"].items() if "kong-admin" in one["networks"]}
    assert inside == {"sync", "kong"}
    assert set(SERVICES["sync"]["networks"]) <= set(over["services"]["sync"]["networks"])
    assert set(SERVICES["kong"]["networks"]) <= set(over["services"]["kong"]["networks"])
    address = over["services"]["kong"]["networks"]["kong-admin"]["ipv4_address"]
    assert over["services"]["kong"]["environment"]["KONG_ADMIN_LISTEN"] == f"127.0.0.1:8001, {address}:8001"
    (gateway,) = read_gateways(KONG / "compose" / "managed" / "gateways.yaml")
    assert gateway.urls == (f"http://{address}:8001",)
    assert gateway.declarative_file is not None
    assert gateway.declarative_file.parent.as_posix() == over["services"]["sync"]["volumes"][0].split(":")[1]


def test_the_managed_configuration_is_kongs_own_without_the_plugin() -> None:
    managed = (KONG / "compose" / "managed" / "kong.yml").read_bytes()
    (gateway,) = read_gateways(KONG / "compose" / "managed" / "gateways.yaml")
    service_id = yaml.safe_load(managed)["services"][0]["id"]
    wanted = Wanted(frozenset({service_id}), frozenset({service_id}))
    (added,) = yaml.safe_load(rendered_into(managed, gateway.policy("eu"), wanted))["plugins"]
    by_hand = yaml.safe_load((KONG / "compose" / "kong.yml").read_text())["services"][0]
    ours, *others = by_hand.pop("plugins")
    assert (added["name"], added["config"]) == (ours["name"], ours["config"])
    assert yaml.safe_load(managed)["services"] == [{**by_hand, "plugins": others}]
