"""Alert rules and the dashboard: every metric and label in them is one that our processes expose."""

import json
import re
import shutil
import subprocess
import threading
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

import kong_app_auth.plugin  # noqa: F401  it defines metrics
import plugin_server.worker  # noqa: F401  it defines metrics
from kong_app_auth.domain.reasons import Reason
from kong_app_auth.oidc.outgoing import Outgoing
from kong_app_auth.portal.metrics import PortalMetrics
from kong_app_auth.sync.issuers.keys import IssuerKeys
from kong_app_auth.sync.kong.metrics import KongMetrics
from kong_app_auth.sync.kong.outcome import Pass
from kong_app_auth.sync.metrics import SyncMetrics
from kong_app_auth.sync.portal_feed.address import PortalAddress
from kong_app_auth.sync.portal_feed.metrics import PortalMetrics as FeedMetrics
from kong_app_auth.sync.reports.forwarding import ReportForwarder
from kong_app_auth.sync.reports.portal import ReportsPortal
from plugin_server import metrics, supervisor
from plugin_server.exposition import Report, render
from tests.packaging.parts import KONG

ALERTS = KONG / "monitoring" / "alerts.yaml"
DASHBOARD: dict[str, Any] = json.loads((KONG / "monitoring" / "dashboard.json").read_text())
SCRAPE = KONG / "monitoring" / "scrape.yaml"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
]
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
OF_PROMETHEUS = {"region", "instance", "job", "le"}
"""Labels that come with scraping, not from us."""


def exposed() -> dict[str, set[str]]:
    """The labels of every series that plugin server, sync daemon and portal can expose, by the series' name."""
    known = (*metrics.definitions(), *supervisor._OWN)
    # Other tests of the same process make metrics too.
    definitions = {one.name: one for one in known if not one.name.startswith("test_")}
    found = {name: set(one.labels) for name, one in definitions.items()}
    report = Report(counts={}, definitions=definitions, workers=1, connections=0, waiting_for=None)
    for family in text_string_to_metric_families(render(report).decode()):
        found |= {sample.name: set(sample.labels) for sample in family.samples}
    daemon = SyncMetrics()
    FeedMetrics(daemon.registry)
    address = PortalAddress(url="http://127.0.0.1:1", token="a token of no portal")
    ReportForwarder(ReportsPortal(address, "eu"), "eu", daemon.registry)
    issuers = IssuerKeys(Outgoing(), daemon.registry, threading.Event())
    issuers._keys.labels("https://issuer.example").set(1)
    issuers._fetched.labels("https://issuer.example").set(1)
    issuers._failures.labels("https://issuer.example").inc()
    KongMetrics(daemon.registry).passed("edge", Pass())
    portal = PortalMetrics()
    portal.requests.labels("GET", "200").inc()
    portal.seq.labels("eu").set(1)
    for registry in (daemon.registry, portal.registry):
        found |= _series(registry)
    return found


def _series(registry: CollectorRegistry) -> dict[str, set[str]]:
    return {sample.name: set(sample.labels) for family in registry.collect() for sample in family.samples}


def selectors(expression: Any) -> list[Any]:
    """The vector selectors in a parsed expression."""
    found = [expression] if isinstance(expression, promql_parser.VectorSelector) else []
    for name in ("expr", "lhs", "rhs", "param", "vector_selector"):
        inner = getattr(expression, name, None)
        if inner is not None:
            found += selectors(inner)
    for argument in getattr(expression, "args", None) or []:
        found += selectors(argument)
    return found


def parsed(text: str) -> Any:
    """An expression as Prometheus reads it, Grafana's variables replaced."""
    return promql_parser.parse(text.replace("$__rate_interval", "5m").replace("$region", "eu"))


def expressions() -> dict[str, str]:
    """Every expression, by where it stands."""
    found = {f"alert {rule['alert']}": rule["expr"] for rule in RULES}
    for panel in PANELS:
        found |= {f"panel {panel['title']} {target['refId']}": target["expr"] for target in panel["targets"]}
    return found


@pytest.mark.parametrize("where", expressions(), ids=str)
def test_an_expression_asks_for_what_there_is(where: str) -> None:
    there = exposed()
    found = selectors(parsed(expressions()[where]))
    assert found
    for selector in found:
        if selector.name == "up":
            assert {one.name for one in selector.matchers.matchers} == {"job"}
            continue
        assert selector.name in there, f"nobody exposes {selector.name}"
        labels = {one.name for one in selector.matchers.matchers}
        assert labels <= there[selector.name] | OF_PROMETHEUS, f"{selector.name} has no such label"
        for one in selector.matchers.matchers:
            if one.name == "outcome" and selector.name == "app_auth_requests_total":
                assert set(one.value.split("|")) <= {"allowed", *(reason.code for reason in Reason)}


def test_what_is_grouped_by_and_shown_is_a_label() -> None:
    there = exposed()
    for where, text in expressions().items():
        names = {selector.name for selector in selectors(parsed(text))}
        labels = set().union(*(there.get(name, set()) for name in names)) | OF_PROMETHEUS
        for group in re.findall(r"by \(([^)]*)\)", text):
            assert {one.strip() for one in group.split(",")} <= labels, where
    for panel in PANELS:
        for target in panel["targets"]:
            names = {selector.name for selector in selectors(parsed(target["expr"]))}
            labels = set().union(*(there.get(name, set()) for name in names)) | OF_PROMETHEUS
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels, panel["title"]


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    shown = {selector.name for text in expressions().values() for selector in selectors(parsed(text))}
    ours = {name for name in exposed() if not name.endswith(("_created", "_sum", "_count", "_info"))}
    assert ours - shown == set()


def test_alerts_say_what_to_do() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"].keys() == {"summary", "description"}


def test_jobs_of_the_rules_are_those_of_the_scrape_configuration() -> None:
    jobs = {one["job_name"]: one for one in yaml.safe_load(SCRAPE.read_text())["scrape_configs"]}
    asked = {
        one.value
        for text in expressions().values()
        for selector in selectors(parsed(text))
        for one in selector.matchers.matchers
        if one.name == "job"
    }
    assert asked <= set(jobs)
    assert jobs["kong-app-auth-portal"]["metrics_path"] == "/internal/v1/metrics"


def test_panels_do_not_overlap_and_have_ids_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        mine = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not mine & cells, panel["title"]
        cells |= mine


def test_promtool_takes_the_rules_and_the_scrape_configuration() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    for command in (["rules", ALERTS], ["config", "--syntax-only", SCRAPE]):
        done = subprocess.run(["promtool", "check", *command], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
