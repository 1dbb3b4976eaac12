"""The bars: what was promised, what was measured, and by how much it was missed."""

from collections.abc import Callable, Sequence

import msgspec

from bench.changes import Delay
from bench.copying import FirstCopy
from bench.processes import Memory
from bench.servers import NPM, OURS, THREADS
from bench.throughput import ALLOWED, REFUSED, WORKS, Cost

MEBIBYTE = 1024 * 1024


class Bar(msgspec.Struct, frozen=True):
    """One bar. `met` None: not measured. `missed_by` is a share of the bar, 0.0 where it is met."""

    name: str
    bar: str
    measured: str
    met: bool | None
    missed_by: float = 0.0


def bars(
    costs: Sequence[Cost], delays: Sequence[Delay], copy: FirstCopy | None, memories: Sequence[Memory]
) -> list[Bar]:
    """Judge everything, each by its worst case."""
    judged = [
        _most("CPU of an allowed request", 40.0, "µs", _cpu(costs, OURS, ALLOWED)),
        _most("CPU of a refused request, with a new connection after it", 60.0, "µs", _cpu(costs, OURS, REFUSED)),
    ]
    for work in WORKS:
        judged.append(
            _least(f"CPU beside the stock server in threads, {work}", 5.0, _ratios(costs, THREADS, work, _cpu_ratio))
        )
        judged.append(_least(f"CPU beside the npm server, {work}", 1.0, _ratios(costs, NPM, work, _cpu_ratio)))
        judged.append(
            _least(
                f"events per second beside the stock server in threads, {work}",
                5.0,
                _ratios(costs, THREADS, work, _rate_ratio),
            )
        )
        judged.append(
            _least(f"events per second beside the npm server, {work}", 1.0, _ratios(costs, NPM, work, _rate_ratio))
        )
    judged += [
        _most(f"change to refusal, p99, {delay.way}", 1000.0, "ms", [(f"of {delay.changes}", delay.p99_ms)])
        for delay in delays
    ]
    if copy is not None:
        judged.append(_most(f"first copy of {copy.credentials:,} credentials", 60.0, "s", [("", copy.seconds)]))
    node = [(one.process, one.peak / MEBIBYTE) for one in memories if one.process != "valkey"]
    judged.append(_most("most memory resident in any process of the node", 150.0, "MB", node))
    return judged


def _cpu(costs: Sequence[Cost], server: str, work: str) -> list[tuple[str, float]]:
    return [
        (f"at {cost.connections} connections", cost.cpu_us.median)
        for cost in costs
        if (cost.server, cost.work) == (server, work)
    ]


def _ratios(
    costs: Sequence[Cost], other: str, work: str, ratio: Callable[[Cost, Cost], float]
) -> list[tuple[str, float]]:
    ours = {cost.connections: cost for cost in costs if (cost.server, cost.work) == (OURS, work)}
    return [
        (f"at {cost.connections} connections", ratio(ours[cost.connections], cost))
        for cost in costs
        if (cost.server, cost.work) == (other, work) and cost.connections in ours
    ]


def _cpu_ratio(ours: Cost, other: Cost) -> float:
    return other.cpu_us.median / max(ours.cpu_us.median, 1e-9)


def _rate_ratio(ours: Cost, other: Cost) -> float:
    return ours.events_per_second.median / max(other.events_per_second.median, 1e-9)


def _most(name: str, bar: float, unit: str, measured: list[tuple[str, float]]) -> Bar:
    if not measured:
        return Bar(name, f"≤ {bar:g} {unit}", "not measured", None)
    where, worst = max(measured, key=lambda pair: pair[1])
    return Bar(name, f"≤ {bar:g} {unit}", _said(f"{worst:.1f} {unit}", where), worst <= bar, max(0.0, worst / bar - 1))


def _least(name: str, bar: float, measured: list[tuple[str, float]]) -> Bar:
    if not measured:
        return Bar(name, f"≥ {bar:g} ×", "not measured", None)
    where, worst = min(measured, key=lambda pair: pair[1])
    return Bar(name, f"≥ {bar:g} ×", _said(f"{worst:.2f} ×", where), worst >= bar, max(0.0, 1 - worst / bar))


def _said(figure: str, where: str) -> str:
    return f"{figure} ({where})" if where else figure
