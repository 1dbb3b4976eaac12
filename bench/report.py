"""The results: kept as Markdown and JSON under names that stay, so that git shows what changed."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.bars import MEBIBYTE, Bar
from bench.changes import Delay
from bench.copying import FirstCopy, Lookups
from bench.machine import Machine
from bench.processes import Memory
from bench.servers import OURS, WORKERS, Skipped
from bench.throughput import WORKS, Cost, Traced

BUSY = 0.5


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of a run. `problems` are parts that failed, with why; the other parts stand."""

    plan: str
    machine: Machine
    driver: str
    seconds: float
    bars: list[Bar]
    costs: list[Cost]
    traced: list[Traced]
    skipped: list[Skipped]
    lookups: list[Lookups]
    delays: list[Delay]
    copy: FirstCopy | None
    memory: list[Memory]
    problems: list[str]


def write(results: Results, directory: Path) -> None:
    """Write `latest.md` and `latest.json`."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "latest.md").write_text(markdown(results))
    (directory / "latest.json").write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def verdict(bar: Bar) -> str:
    """Say in words whether a bar is met."""
    if bar.met is None:
        return "not measured"
    return "met" if bar.met else f"missed by {100 * bar.missed_by:.0f} %"


def markdown(results: Results) -> str:
    """Write the whole page."""
    sections = [_head(results), _bars(results.bars)]
    sections += [_costs(work, results) for work in WORKS if results.costs]
    sections += [_lookups(results.lookups), _delays(results.delays), _copy(results.copy, results.memory)]
    sections.append(_how(results))
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(results: Results) -> str:
    machine = results.machine
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    lines = [
        "# Figures",
        "",
        f"Measured {machine.date} by `make bench` ({results.plan} run, {results.seconds:.0f} s) at {machine.commit}.",
        "",
        f"- {machine.cores} cores of {machine.cpu}, {machine.memory_bytes / 1024**3:.0f} GB, Linux {machine.kernel}",
        f"- Python {machine.python} (of {machine.python_prefix}), Node {machine.node}; {packages}",
        f"- driver: {results.driver}",
    ]
    if machine.load_before > BUSY:
        lines.append(f"- **the machine was busy** (load {machine.load_before} before the run): the figures are noisy")
    if results.plan != "full":
        lines.append(
            "- **a short run with small numbers**: it shows that the benchmark works, not what the system does"
        )
    lines += [f"- **failed**: {problem}" for problem in results.problems]
    lines += [f"- not measured: {skipped.server} ({skipped.why})" for skipped in results.skipped]
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1) -> str:
    """A table; the first `words` columns are words, the others numbers."""
    rule = [":---" if column < words else "---:" for column in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def _bars(bars: Sequence[Bar]) -> str:
    rows = [
        (bar.name, bar.bar, bar.measured, f"{'' if bar.met else '**'}{verdict(bar)}{'' if bar.met else '**'}")
        for bar in bars
    ]
    table = _table(("what", "bar", "measured, the worst case", "verdict"), rows, words=4)
    return f"## Bars\n\n{table}"


def _costs(work: str, results: Results) -> str:
    counted = {traced.server: traced for traced in results.traced if traced.work == work}
    ours = {cost.connections: cost for cost in results.costs if (cost.server, cost.work) == (OURS, work)}
    rows: list[Sequence[str]] = []
    for cost in results.costs:
        if cost.work != work:
            continue
        beside = cost.cpu_us.median / ours[cost.connections].cpu_us.median if cost.connections in ours else 0.0
        traced = counted.get(cost.server) if cost.connections == 16 else None
        rows.append(
            (
                cost.server,
                str(cost.connections),
                f"{cost.cpu_us.median:.1f}",
                f"{cost.cpu_us.least:.1f}–{cost.cpu_us.most:.1f}",
                f"{cost.user_us:.1f} + {cost.system_us:.1f}",
                f"{beside:.1f} ×",
                f"{cost.events_per_second.median:,.0f}",
                f"{cost.events_per_second.least:,.0f}–{cost.events_per_second.most:,.0f}",
                f"{cost.p50_us:,.0f}",
                f"{cost.p99_us:,.0f}",
                f"{traced.calls:.1f}" if traced is not None else "",
                f"{traced.switches:.1f}" if traced is not None else "",
            )
        )
    head = (
        *("server", "connections", "CPU µs/event", "spread", "user + system", "of ours", "events/s", "spread"),
        *("p50 µs", "p99 µs", "system calls/event", "switches/event"),
    )
    return f"## {work.capitalize()} requests\n\n{_table(head, rows)}"


def _lookups(lookups: Sequence[Lookups]) -> str:
    if not lookups:
        return ""
    rows = [(one.kind, f"{one.microseconds:.2f}", f"{one.per_second:,.0f}") for one in lookups]
    return f"## Look-ups in the replica\n\n{_table(('key', 'µs', 'per second'), rows)}"


def _delays(delays: Sequence[Delay]) -> str:
    if not delays:
        return ""
    rows = [
        (one.way, str(one.changes), f"{one.p50_ms:.1f}", f"{one.p99_ms:.1f}", f"{one.most_ms:.1f}") for one in delays
    ]
    return f"## From change to refusal\n\n{_table(('way', 'changes', 'p50 ms', 'p99 ms', 'most ms'), rows)}"


def _copy(copy: FirstCopy | None, memories: Sequence[Memory]) -> str:
    if copy is None:
        return ""
    rows = [
        (
            one.process,
            f"{one.resident / MEBIBYTE:.1f}",
            f"{one.peak / MEBIBYTE:.1f}",
            f"{one.anonymous / MEBIBYTE:.1f}",
        )
        for one in memories
    ]
    table = _table(("process", "resident MB", "most MB", "of it its own MB"), rows)
    return (
        f"## First copy\n\n{copy.credentials:,} credentials of {copy.applications:,} applications were in force "
        f"{copy.seconds:.1f} s after the node was started. The file has {copy.file_bytes / MEBIBYTE:.1f} MB. (To fill "
        f"Valkey took the registry's writer {copy.filling_seconds:.1f} s.)\n\n{table}"
    )


def _how(results: Results) -> str:
    rounds = results.costs[0].rounds if results.costs else 0
    driver = max((cost.driver_cpu_us for cost in results.costs if cost.server == OURS), default=0.0)
    return f"""## How

- Every server does the same work in the same run and takes turns within each round ({rounds} rounds; medians, and the
  least and the most of them). The driver speaks Kong's side of the protocol over the real socket with ten headers a
  request, and keeps as many events going as there are connections. It takes at most {driver:.0f} µs of CPU an event of
  ours, on the same cores. Every answer is checked.
- Allowed: get_headers, look-up, set_headers with six identity headers that also takes the key away, authenticate.
  Refused: a well-formed key that nobody has: get_headers, look-up, get_var, exit with 401.
- The floor is a loop in Python that is woken as often, reads each event and always answers the same (`bench/floor.py`):
  no server in Python takes less. At one connection that is mostly the price of waking a core of this machine.
- Ours speaks ProtoBuf:1, where Kong closes the connection after each refusal: the next event waits for a new one. The
  others speak MsgPack:1, where Kong keeps it. Both are as in Kong 3.9; the difference is to the others' advantage.
- Ours is `kong-app-auth plugin-server` with {WORKERS} workers on a copy of the region above; the stock server runs the
  same plugin class on the same copy, in one process, for it has no more. The npm server's plugin does less: a look-up
  of the key itself in a Map, no hashing, no decision, no log.
- CPU is user and system time of all processes of a server, children included, without the follower. The kernel gives
  it in steps of 10 ms; the split into user and system is sampled. System
  calls and switches (of any kind) are counted by perf in a run of their own, at 16 connections.
- Resident sizes are taken after random requests for known keys; "most" is the
  kernel's high-water mark, which is what the bar is about. Pages of the mapped file count in each process that touched
  them, though the node holds them once.
- A change is timed from just before it is made until four connections in turn have all been refused."""
