"""Counting: nothing is lost between threads, and Prometheus can read what comes out."""

import threading

from prometheus_client.parser import text_string_to_metric_families

from plugin_server import metrics
from plugin_server.exposition import Report, render
from plugin_server.generation import added
from plugin_server.metrics import Counter, Definition, Timer

COUNTER = Counter("test_things_total", "Things.", ("kind",))
TIMER = Timer("test_work", "Work.", ("how",))


def test_threads_count_into_one_sum_and_go_on_counting_after_they_end() -> None:
    before = metrics.snapshot().get(("test_things_total", "a"), 0)

    def count() -> None:
        for _ in range(1000):
            COUNTER.inc("a")
        COUNTER.inc("b", by=0.5)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert metrics.snapshot()[("test_things_total", "a")] == before + 4000
    assert metrics.snapshot()[("test_things_total", "b")] == 2


def test_a_timer_counts_and_adds_up() -> None:
    key = TIMER.key("well")
    TIMER.observe(key, 0.25)
    TIMER.observe(key, 0.5)
    snapshot = metrics.snapshot()
    assert snapshot[("test_work_total", "well")] == 2
    assert snapshot[("test_work_seconds_total", "well")] == 0.75


def test_every_counter_is_defined() -> None:
    defined = {definition.name: definition.labels for definition in metrics.definitions()}
    assert defined["test_things_total"] == ("kind",)
    assert {"test_work_total", "test_work_seconds_total"} <= defined.keys()


def test_counts_of_several_workers_are_added() -> None:
    assert added([{("a",): 1.0, ("b", "x"): 2.0}, {("a",): 3.0}, {}]) == {("a",): 4.0, ("b", "x"): 2.0}


def test_prometheus_reads_what_is_rendered() -> None:
    nasty = 'quote " backslash \\ line\nend'
    report = Report(
        counts={("x_total", nasty): 3.0, ("x_total", "plain"): 4.0, ("undefined_total",): 1.0},
        definitions={"x_total": Definition("x_total", "Of a test.", ("label",))},
        workers=2,
        connections=7,
        waiting_for=None,
    )
    samples = {
        (sample.name, sample.labels.get("label")): sample.value
        for family in text_string_to_metric_families(render(report).decode())
        for sample in family.samples
    }
    assert samples == {
        ("x_total", nasty): 3.0,
        ("x_total", "plain"): 4.0,
        ("plugin_server_workers", None): 2.0,
        ("plugin_server_connections", None): 7.0,
        ("plugin_server_ready", None): 1.0,
    }
