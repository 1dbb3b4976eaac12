"""What the packaging's tests share: the files, and how a process of ours is judged by its arguments and environment."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import typer
import yaml

from kong_app_auth import cli
from kong_app_auth.options import used_by
from kong_app_auth.settings import CONFIG_VARIABLE, ENV_PREFIX, Settings

ROOT = Path(__file__).parents[2]
KONG = ROOT / "kong"
COMPOSE = ROOT / "docker-compose.yml"
SCHEMAS = Path(__file__).parent / "schemas"
SECRET_SETTINGS = {"redis_password", "feed_token", "feed_tokens", "database_url", "vault_keys", "smtp_password"}


def documents(text: str) -> list[dict[str, Any]]:
    """The YAML documents in a text, without empty ones."""
    return [one for one in yaml.safe_load_all(text) if one]


def commands() -> set[str]:
    """The subcommands of `kong-app-auth`."""
    return set(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]


def check_process(command: str, environment: Mapping[str, str | None]) -> None:
    """Check a process of ours: a command that exists, and variables of settings that it uses, with good values.

    None as a value: it comes from a Secret.
    """
    assert command in commands()
    ours = {name: value for name, value in environment.items() if name.startswith(ENV_PREFIX)}
    ours.pop(CONFIG_VARIABLE, None)
    values = {}
    for name, value in ours.items():
        setting = name.removeprefix(ENV_PREFIX).lower()
        assert setting in Settings.model_fields, f"{command}: {name} is no setting"
        assert command in used_by[setting], f"{command} does not use {name}"
        if value is None:
            assert setting in SECRET_SETTINGS, f"{name} needs no Secret"
        else:
            assert setting not in SECRET_SETTINGS, f"{name} is a secret, and in plain"
            values[setting] = value
    Settings(**values)


def kubernetes_problems(resource: dict[str, Any]) -> list[str]:
    """What Kubernetes' own schema has against a resource."""
    schema = json.loads((SCHEMAS / "kubernetes-1.34.json").read_text())
    kind = f"{resource['apiVersion']}/{resource['kind']}"
    assert kind in schema["kinds"], f"there is no schema for {kind} here"
    schema |= schema["kinds"][kind]
    validator = jsonschema.Draft202012Validator(schema)
    return [f"{kind} {error.json_path}: {error.message}" for error in validator.iter_errors(resource)]


def pod_specs(resources: Iterable[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """The pods of Deployments, by name."""
    return [(one["metadata"]["name"], one["spec"]["template"]) for one in resources if one["kind"] == "Deployment"]


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """All containers of a pod."""
    spec = pod["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def variables(container: dict[str, Any]) -> dict[str, str | None]:
    """The environment of a container, as `check_process` takes it."""
    return {one["name"]: one.get("value") for one in container.get("env", [])}


def our_command(container: dict[str, Any]) -> str | None:
    """The subcommand that a container of our image runs; None where the image is another's."""
    if "kong-app-auth" not in container["image"]:
        return None
    if container.get("command") == ["plugin-server-beside-kong"]:
        return "plugin-server"
    assert "command" not in container
    return str(container["args"][0])


def check_confined(pod: dict[str, Any]) -> None:
    """No container of a pod is root, may gain rights, or writes to its own file system; each has probes and limits."""
    spec = pod["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers(pod):
        check_container(container)
        assert {**spec["securityContext"], **container["securityContext"]}["runAsUser"] > 0
    volumes = {volume["name"] for volume in spec.get("volumes", [])}
    assert {mount["name"] for one in containers(pod) for mount in one.get("volumeMounts", [])} == volumes


def check_container(container: dict[str, Any]) -> None:
    """A container is confined, and its probes ask ports that it has and paths that we serve."""
    context = container["securityContext"]
    assert context["readOnlyRootFilesystem"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
    assert "memory" in container["resources"]["limits"]
    ports = {port["name"] for port in container.get("ports", [])}
    for probe in ("readinessProbe", "livenessProbe"):
        asked = container[probe]
        for how in ("httpGet", "tcpSocket"):
            assert asked.get(how, {}).get("port") in {None, *ports}
        path = asked.get("httpGet", {}).get("path")
        assert path in {None, "/ready", "/metrics", "/internal/v1/ready", "/status", "/status/ready"}


def kong_lines() -> dict[str, str]:
    """The lines of kong.conf that the quick start tells the reader to add."""
    text = (ROOT / "docs" / "quick-start.md").read_text()
    return dict(re.findall(r"^(plugin\S+) = (.+)$", text, re.MULTILINE))
