"""How the bars are judged."""

from bench.bars import MEBIBYTE, Bar, bars
from bench.changes import Delay
from bench.copying import FirstCopy
from bench.processes import Memory
from bench.servers import NPM, OURS, THREADS
from bench.throughput import Cost, Spread


def cost(server: str, connections: int, cpu_us: float, rate: float, work: str = "allowed") -> Cost:
    return Cost(
        server=server,
        work=work,
        connections=connections,
        cpu_us=Spread(cpu_us, cpu_us, cpu_us),
        user_us=cpu_us,
        system_us=0,
        events_per_second=Spread(rate, rate, rate),
        p50_us=1,
        p99_us=1,
        driver_cpu_us=1,
        rounds=1,
    )


def judged(
    *costs: Cost, delays: tuple[Delay, ...] = (), copy: FirstCopy | None = None, memories: tuple[Memory, ...] = ()
) -> dict[str, Bar]:
    return {bar.name: bar for bar in bars(costs, delays, copy, memories)}


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert {bar.met for bar in judged().values()} == {None}


def test_the_worst_number_of_connections_counts() -> None:
    bar = judged(cost(OURS, 1, 30, 1), cost(OURS, 16, 50, 1))["CPU of an allowed request"]
    assert (bar.met, bar.missed_by, bar.measured) == (False, 0.25, "50.0 µs (at 16 connections)")


def test_a_figure_on_the_bar_meets_it() -> None:
    assert judged(cost(OURS, 1, 40, 1))["CPU of an allowed request"].met is True


def test_servers_are_compared_at_the_same_number_of_connections() -> None:
    found = judged(cost(OURS, 1, 10, 100), cost(OURS, 16, 20, 300), cost(THREADS, 1, 60, 50), cost(THREADS, 16, 80, 10))
    processor = found["CPU beside the stock server in threads, allowed"]
    assert (processor.met, processor.missed_by, processor.measured) == (
        False,
        0.19999999999999996,
        "4.00 × (at 16 connections)",
    )
    rate = found["events per second beside the stock server in threads, allowed"]
    assert (rate.met, rate.measured) == (False, "2.00 × (at 1 connections)")


def test_the_npm_server_is_to_be_overtaken() -> None:
    found = judged(cost(OURS, 1, 30, 9), cost(NPM, 1, 60, 10))
    assert found["CPU beside the npm server, allowed"].met is True
    assert found["events per second beside the npm server, allowed"].met is False


def test_changes_are_judged_by_their_p99_and_each_way_by_itself() -> None:
    found = judged(delays=(Delay("a", 9, 1, 999, 5000), Delay("b", 9, 1, 1001, 1001)))
    assert found["change to refusal, p99, a"].met is True
    assert found["change to refusal, p99, b"].met is False


def test_memory_is_judged_by_the_high_water_mark_and_without_valkey() -> None:
    memories = (
        Memory("worker 1", 10 * MEBIBYTE, 160 * MEBIBYTE, 0),
        Memory("valkey", 900 * MEBIBYTE, 900 * MEBIBYTE, 0),
    )
    bar = judged(memories=memories)["most memory resident in any process of the node"]
    assert (bar.met, bar.measured) == (False, "160.0 MB (worker 1)")


def test_the_first_copy_is_judged_by_its_time() -> None:
    assert judged(copy=FirstCopy(1_000_000, 50_000, 61.0, 1, 1))["first copy of 1,000,000 credentials"].met is False
