"""The Helm chart: rendered where Helm is there. Elsewhere only what can be said of templates without rendering them."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from kong_app_auth.settings import ENV_PREFIX, Settings
from kong_app_auth.sync.kong.gateways import read_gateways
from tests.packaging.parts import (
    KONG,
    check_confined,
    check_process,
    containers,
    documents,
    kubernetes_problems,
    our_command,
    pod_specs,
    variables,
)

CHART = KONG / "helm" / "kong-app-auth"
TEMPLATES = sorted((CHART / "templates").iterdir())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
_RENDER = """
import json, sys
import helm_python
with helm_python.Chart.load(sys.argv[1]) as chart:
    print(json.dumps(chart.render(json.loads(sys.argv[2]), name="demo", namespace="prod")))
"""
CASES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "everything elsewhere": {
        "redis": {"url": "rediss://redis.example:6380/0", "username": "daemon"},
        "valkey": {"enabled": False},
        "portal": {"enabled": False},
        "sync": {"portalUrl": "https://portal.example", "env": {"APP_AUTH_LOG_LEVEL": "debug"}},
    },
    "with managed gateways": {
        "sync": {
            "gateways": [
                {"name": "edge", "admin_url": "https://kong.example:8444", "token_variable": "KONG_TOKEN"},
                {"name": "nodes", "mode": "db_less", "admin_urls": ["http://a:8001"], "declarative_file": "/kong.yml"},
            ],
            "gatewaysSecret": "kong",
            "extraEnv": [
                {"name": "KONG_TOKEN", "valueFrom": {"secretKeyRef": {"name": "kong", "key": "token"}}},
            ],
        },
        "podAnnotations": {"a/b": "c"},
    },
    "with an ingress": {
        "portal": {
            "replicas": 1,
            "env": {"APP_AUTH_SMTP_HOST": "mail.example", "APP_AUTH_SMTP_PORT": "465"},
            "extraEnv": [
                {"name": "APP_AUTH_SMTP_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "mail", "key": "password"}}}
            ],
            "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "portal-tls", "annotations": {"a/b": "c"}},
        },
        "nodeSelector": {"zone": "a"},
        "tolerations": [{"key": "x", "operator": "Exists"}],
        "imagePullSecrets": [{"name": "pull"}],
        "podAnnotations": {"prometheus.io/scrape": "true"},
    },
    "without policies": {"networkPolicy": {"enabled": False}, "podDisruptionBudget": {"enabled": False}},
}


def rendered(values: dict[str, Any], tmp_path: Path) -> list[dict[str, Any]]:
    """The chart's resources, by `helm` or by the package `helm-python-sdk`, which is Helm as a library."""
    if shutil.which("helm"):
        file = tmp_path / "values.yaml"
        file.write_text(json.dumps(values))
        command = ["helm", "template", "demo", str(CHART), "--namespace", "prod", "--values", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return documents(done.stdout)
    if importlib.util.find_spec("helm_python") is None:
        pytest.skip("Helm is not installed")
    command = [sys.executable, "-c", _RENDER, str(CHART), json.dumps(values)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    texts: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return [one for name, text in texts.items() if not name.endswith("NOTES.txt") for one in documents(text)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rendered(case: str, tmp_path: Path) -> None:
    resources = rendered(CASES[case], tmp_path)
    assert [problem for one in resources for problem in kubernetes_problems(one)] == []
    for _, pod in pod_specs(resources):
        check_confined(pod)
        for container in containers(pod):
            command = our_command(container)
            if command is not None:
                check_process(command, variables(container))
    kinds = [one["kind"] for one in resources]
    count = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    assert (
        count
        == {
            "as it is": {"Deployment": 3, "NetworkPolicy": 3, "PodDisruptionBudget": 2, "Service": 2},
            "everything elsewhere": {"Deployment": 1, "NetworkPolicy": 1, "PodDisruptionBudget": 1},
            "with managed gateways": {
                "ConfigMap": 1,
                "Deployment": 3,
                "NetworkPolicy": 3,
                "PodDisruptionBudget": 2,
                "Service": 2,
            },
            "with an ingress": {
                "Deployment": 3,
                "Ingress": 1,
                "NetworkPolicy": 3,
                "PodDisruptionBudget": 1,
                "Service": 2,
            },
            "without policies": {"Deployment": 3, "Service": 2},
        }[case]
    )


def test_the_file_of_gateways_is_one_that_the_daemon_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resources = rendered(CASES["with managed gateways"], tmp_path)
    (text,) = (one["data"]["gateways.yaml"] for one in resources if one["kind"] == "ConfigMap")
    monkeypatch.setenv("KONG_TOKEN", "token")
    file = tmp_path / "gateways.yaml"
    file.write_text(text)
    assert [one.name for one in read_gateways(file)] == ["edge", "nodes"]


def test_rendered_as_the_plain_manifests_are(tmp_path: Path) -> None:
    plain = [
        one
        for name in ("portal", "sync", "valkey")
        for one in documents((KONG / "kubernetes" / "base" / f"{name}.yaml").read_text())
    ]
    ours = {pod["spec"]["containers"][0]["name"]: pod["spec"] for _, pod in pod_specs(rendered({}, tmp_path))}
    theirs = {pod["spec"]["containers"][0]["name"]: pod["spec"] for _, pod in pod_specs(plain)}
    assert ours.keys() == theirs.keys()
    for name, pod in theirs.items():
        one, other = pod["containers"][0], ours[name]["containers"][0]
        for same in ("args", "command", "ports", "securityContext", "resources", "volumeMounts"):
            assert one.get(same) == other.get(same), name
        for same in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert one.get(same) == other.get(same), name
        assert [v["name"] for v in one.get("env", [])] == [v["name"] for v in other.get("env", [])]


def test_the_values_are_as_their_schema_says() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.Draft7Validator(SCHEMA).validate(VALUES)
    for wrong in ({"region": "EU West"}, {"portal": {"replicas": 0}}, {"sync": {"replica": 1}}):
        assert not jsonschema.Draft7Validator(SCHEMA).is_valid(VALUES | wrong)


def _paths(values: dict[str, Any], prefix: str = "") -> set[str]:
    """The paths of all values; what is left to the user's own keys ends where they begin."""
    found: set[str] = set()
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value and key not in ("resources", "gateways", "front", "monitoring"):
            found |= _paths(value, f"{path}.")
        else:
            found.add(path)
    return found


def test_templates_use_every_value_and_no_other() -> None:
    """Without Helm this is what can be seen: names, not what comes of them."""
    text = "\n".join(path.read_text() for path in TEMPLATES)
    text = text.replace("$policy.", ".Values.networkPolicy.")
    used = set(re.findall(r"\.Values\.([A-Za-z.]+)", text))
    whole = {"portal", "sync"}  # given to a template that takes `env` and `extraEnv` from it
    used |= {f"{part}.{name}" for part in whole for name in ("env", "extraEnv")}
    assert used - whole - {"networkPolicy"} == _paths(VALUES)
    defined = set(re.findall(r'define "([^"]+)"', text))
    assert set(re.findall(r'include "([^"]+)"', text)) == defined


def test_templates_open_and_close() -> None:
    for path in TEMPLATES:
        text = path.read_text()
        words = re.findall(r"\{\{-? *(if|range|with|define|end)\b", text)
        assert words.count("end") * 2 == len(words), path.name


def test_templates_name_settings_that_there_are() -> None:
    names = {name for path in TEMPLATES for name in re.findall(rf"{ENV_PREFIX}[A-Z_]+", path.read_text())}
    assert {name.removeprefix(ENV_PREFIX).lower() for name in names} <= Settings.model_fields.keys()
