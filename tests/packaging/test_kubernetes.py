"""Kubernetes manifests, and the values for Kong's own chart: by Kubernetes' schema, and by what our commands take."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.packaging.parts import (
    KONG,
    check_confined,
    check_container,
    check_process,
    containers,
    documents,
    kong_lines,
    kubernetes_problems,
    our_command,
    pod_specs,
    variables,
)

HERE = KONG / "kubernetes"
BASES = ("base", "kong")
FILES = sorted(path for base in BASES for path in (HERE / base).glob("*.yaml") if path.name != "kustomization.yaml")
RESOURCES: list[dict[str, Any]] = [one for path in FILES for one in documents(path.read_text())]
PODS = pod_specs(RESOURCES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_resources_are_as_kubernetes_wants_them(path: Path) -> None:
    assert [problem for one in documents(path.read_text()) for problem in kubernetes_problems(one)] == []


def test_the_schema_sees_what_is_wrong() -> None:
    wrong = documents((HERE / "base" / "portal.yaml").read_text())[0]
    wrong["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    wrong["spec"]["replicas"] = "two"
    assert len(kubernetes_problems(wrong)) == 2


@pytest.mark.parametrize(("name", "pod"), PODS, ids=[name for name, _ in PODS])
def test_pods_are_confined(name: str, pod: dict[str, Any]) -> None:
    check_confined(pod)


@pytest.mark.parametrize(("name", "pod"), PODS, ids=[name for name, _ in PODS])
def test_our_processes_are_called_as_they_are(name: str, pod: dict[str, Any]) -> None:
    for container in containers(pod):
        command = our_command(container)
        if command is not None:
            check_process(command, variables(container))


def test_everything_that_runs_twice_keeps_one_through_a_drain() -> None:
    budgets = {
        one["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]: one["spec"]["minAvailable"]
        for one in RESOURCES
        if one["kind"] == "PodDisruptionBudget"
    }
    twice = {
        one["metadata"]["name"] for one in RESOURCES if one["kind"] == "Deployment" and one["spec"]["replicas"] > 1
    }
    assert budgets == dict.fromkeys(twice, 1)


def test_policies_and_services_mean_pods_that_are_there() -> None:
    names = {pod["metadata"]["labels"]["app.kubernetes.io/name"] for _, pod in PODS}
    policies = [one for one in RESOURCES if one["kind"] == "NetworkPolicy"]
    meant = {one["spec"]["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/name") for one in policies}
    assert meant == names | {None}
    for one in policies:
        for rule in [*one["spec"].get("ingress", []), *one["spec"].get("egress", [])]:
            for peer in [*rule.get("from", []), *rule.get("to", [])]:
                labels = peer.get("podSelector", {}).get("matchLabels", {})
                assert labels.get("app.kubernetes.io/name") in {None, *names}
    ports = {port["name"] for _, pod in PODS for one in containers(pod) for port in one.get("ports", [])}
    for one in RESOURCES:
        if one["kind"] == "Service":
            assert one["spec"]["selector"]["app.kubernetes.io/name"] in names
            assert {port["targetPort"] for port in one["spec"]["ports"]} <= ports


def test_whom_a_process_calls_it_may_call() -> None:
    calls = {"sync": {"portal": 8080, "valkey": 6379}, "kong": {"valkey": 6379}}
    policies = {one["metadata"]["name"]: one["spec"] for one in RESOURCES if one["kind"] == "NetworkPolicy"}
    for caller, called in calls.items():
        for name, port in called.items():
            me = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": caller}}}
            it = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": name}}}
            out = [rule for rule in policies[caller]["egress"] if it in rule.get("to", [])]
            into = [rule for rule in policies[name]["ingress"] if me in rule["from"]]
            assert [rule["ports"][0]["port"] for rule in out + into] == [port, port], f"{caller} to {name}"


def test_the_plugin_server_is_there_before_kong_and_after_it() -> None:
    pod = dict(PODS)["kong"]
    first = pod["spec"]["initContainers"][0]
    assert first["restartPolicy"] == "Always"
    kong = pod["spec"]["containers"][0]
    assert kong["image"] == "kong:3.9.1"
    environment = variables(kong)
    for name, value in kong_lines().items():
        assert environment[f"KONG_{name.upper()}"] == value


def test_the_values_for_kongs_chart() -> None:
    values = yaml.safe_load((HERE / "kong-chart-values.yaml").read_text())
    lines = kong_lines()
    assert values["plugins"]["preInstalled"] == lines.pop("plugins").partition(",")[2]
    assert values["env"] == lines
    (container,) = values["deployment"]["initContainers"]
    check_container(container)
    check_process("plugin-server", variables(container))
    here = dict(PODS)["kong"]["spec"]["initContainers"][0]
    for same in ("command", "restartPolicy", "startupProbe", "readinessProbe", "livenessProbe", "resources"):
        assert container[same] == here[same]
    volumes = {volume["name"] for volume in values["deployment"]["userDefinedVolumes"]}
    assert volumes == {mount["name"] for mount in container["volumeMounts"]}
    (mounted,) = values["deployment"]["userDefinedVolumeMounts"]
    assert mounted == {"name": "app-auth-socket", "mountPath": "/run/kong-app-auth", "readOnly": True}
    assert values["securityContext"]["fsGroup"] == container["securityContext"]["runAsGroup"]


@pytest.mark.parametrize("base", BASES)
def test_kustomize_builds_it(base: str) -> None:
    kubectl, kustomize = shutil.which("kubectl"), shutil.which("kustomize")
    if not (kubectl or kustomize):
        pytest.skip("neither kubectl nor kustomize is installed")
    command = [kustomize, "build"] if kustomize else [str(kubectl), "kustomize"]
    built = subprocess.run([*command, HERE / base], capture_output=True, text=True, check=False, timeout=60)
    assert built.returncode == 0, built.stderr
    resources = documents(built.stdout)
    assert [problem for one in resources for problem in kubernetes_problems(one)] == []
    images = {one["image"] for _, pod in pod_specs(resources) for one in containers(pod)}
    assert not any(image == "kong-app-auth" for image in images)
