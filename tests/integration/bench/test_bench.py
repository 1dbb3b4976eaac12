"""The short run of the benchmark: every part works, and everything is written down."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
OURS, THREADS, GEVENT, NPM = "kong-app-auth", "kong_pdk, threads", "kong_pdk, gevent", "npm kong-pdk"
FLOOR = "floor (no work)"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run puts all that it needs for a while."""
    return tmp_path_factory.mktemp("w")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, work: Path) -> Path:
    """A directory with the results of one short run."""
    directory = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "bench", "--quick", "--results", str(directory)]
    environment = {**os.environ, "TMPDIR": str(work)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return directory


@pytest.fixture(scope="module")
def figures(results: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((results / "latest.json").read_text())
    return found


def test_no_part_fails(figures: dict[str, Any]) -> None:
    assert figures["problems"] == []


def test_every_server_does_all_the_work_or_the_reason_is_given(figures: dict[str, Any]) -> None:
    skipped = {one["server"] for one in figures["skipped"]}
    assert skipped <= {NPM}, "only the npm server needs what a machine may lack"
    measured = {(one["server"], one["work"], one["connections"]) for one in figures["costs"]}
    assert measured == {
        (server, work, connections)
        for server in {OURS, THREADS, GEVENT, NPM, FLOOR} - skipped
        for work in ("allowed", "refused")
        for connections in (1, 16, 64)
    }
    assert all(one["cpu_us"]["median"] > 0 and one["events_per_second"]["median"] > 0 for one in figures["costs"])


def test_changes_look_ups_and_memory_are_measured(figures: dict[str, Any]) -> None:
    assert [one["way"].split()[:2] for one in figures["delays"]] == [["by", "the"], ["by", "an"]]
    assert all(0 < one["p50_ms"] <= one["p99_ms"] <= one["most_ms"] for one in figures["delays"])
    assert {one["kind"] for one in figures["lookups"]} == {"hit", "miss", "expired"}
    assert figures["copy"]["credentials"] == 20_000
    roles = {one["process"] for one in figures["memory"]}
    assert roles == {"supervisor", "zygote", "worker 1", "worker 2", "follower", "valkey"}
    assert all(one["resident"] <= one["peak"] for one in figures["memory"])


def test_every_bar_has_a_verdict_that_follows_from_its_figures(figures: dict[str, Any]) -> None:
    assert len(figures["bars"]) == 14
    for bar in figures["bars"]:
        assert bar["met"] is None or bar["met"] == (bar["missed_by"] == 0)


def test_the_page_and_the_picture_show_it(results: Path, figures: dict[str, Any]) -> None:
    page = (results / "latest.md").read_text()
    for bar in figures["bars"]:
        assert f"| {bar['name']} | {bar['bar']} | {bar['measured']} |" in page
    picture = (results / "latest.svg").read_text()
    assert picture.lstrip().startswith("<?xml")


def test_nothing_is_left_behind(results: Path, work: Path) -> None:
    assert results.is_dir()
    assert list(work.iterdir()) == []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            said = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        assert str(work).encode() not in said, f"{process.name} still runs"
