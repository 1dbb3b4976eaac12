"""What an event costs: each server in turn, at each number of connections, for allowed and for refused requests."""

import shutil
import signal
import statistics
import subprocess
import threading
from collections.abc import Callable, Sequence

import msgspec

from bench.driver import Driver, Load
from bench.plan import Plan
from bench.processes import Cpu, cpu
from bench.region import Filled
from bench.servers import Server

ALLOWED, REFUSED = "allowed", "refused"
WORKS = (ALLOWED, REFUSED)


class Spread(msgspec.Struct, frozen=True):
    """A figure over the rounds."""

    median: float
    least: float
    most: float


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """One server on one work at one number of connections. CPU is of all its processes, an event."""

    server: str
    work: str
    connections: int
    cpu_us: Spread
    user_us: float
    system_us: float
    events_per_second: Spread
    p50_us: float
    p99_us: float
    switches: float
    driver_cpu_us: float
    rounds: int


class Traced(msgspec.Struct, frozen=True):
    """System calls an event, counted in a run of their own."""

    server: str
    work: str
    calls: float


class _Round(msgspec.Struct, frozen=True):
    load: Load
    used: Cpu


class WrongAnswer(Exception):  # noqa: N818 – says what happened
    """A server let somebody in, or kept somebody out, whom it should not."""


def measure(
    plan: Plan, driver: Driver, servers: Sequence[Server], filled: Filled, progress: Callable[[str], None]
) -> list[Cost]:
    """Measure all of them. The servers take turns within a round, so that a busy machine is busy for each of them."""
    costs: list[Cost] = []
    for work in WORKS:
        for connections in plan.connections:
            rounds: dict[str, list[_Round]] = {server.name: [] for server in servers}
            for _ in range(plan.rounds):
                for server in servers:
                    progress(f"{work}, {connections} connections: {server.name}")
                    rounds[server.name].append(_one_round(plan, driver, server, filled, work, connections))
            costs += [_cost(server.name, work, connections, rounds[server.name]) for server in servers]
    return costs


def _one_round(plan: Plan, driver: Driver, server: Server, filled: Filled, work: str, connections: int) -> _Round:
    target = server.target(filled.service_id, filled.keys.known if work == ALLOWED else filled.keys.unknown)
    pids = server.pids()
    marks: list[Cpu] = []
    load = driver.run(
        target,
        connections,
        warm_up=plan.warm_up,
        seconds=plan.seconds,
        mark=lambda: marks.append(cpu(pids)),
    )
    server.check()
    _check_answers(server, work, load)
    return _Round(load, marks[1].since(marks[0]))


def _check_answers(server: Server, work: str, load: Load) -> None:
    right = load.allowed if work == ALLOWED else load.exits.get("401", 0)
    if not load.events or right != load.events or load.lost:
        raise WrongAnswer(
            f"{server.name}: of {load.events} requests to be {work}, {load.allowed} were let in as somebody, "
            f"{load.unmarked} as nobody, {load.lost} lost their connection, refusals by status: {load.exits}"
        )


def _cost(server: str, work: str, connections: int, rounds: list[_Round]) -> Cost:
    def each(figure: Callable[[_Round], float]) -> list[float]:
        return [figure(one) for one in rounds]

    def median(figure: Callable[[_Round], float]) -> float:
        return statistics.median(each(figure))

    return Cost(
        server=server,
        work=work,
        connections=connections,
        cpu_us=_spread(each(lambda one: 1e6 * one.used.total / one.load.events)),
        user_us=median(lambda one: 1e6 * one.used.user / one.load.events),
        system_us=median(lambda one: 1e6 * one.used.system / one.load.events),
        events_per_second=_spread(each(lambda one: one.load.events / one.load.seconds)),
        p50_us=median(lambda one: one.load.p50_us),
        p99_us=median(lambda one: one.load.p99_us),
        switches=median(lambda one: one.used.switches / one.load.events),
        driver_cpu_us=median(lambda one: one.load.driver_cpu_us),
        rounds=len(rounds),
    )


def _spread(values: list[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


def trace(
    plan: Plan, driver: Driver, servers: Sequence[Server], filled: Filled, progress: Callable[[str], None]
) -> list[Traced]:
    """Count system calls with strace, at 16 connections. Empty where strace is missing or may not attach."""
    if shutil.which("strace") is None:
        return []
    found: list[Traced] = []
    for work in WORKS:
        for server in servers:
            progress(f"system calls, {work}: {server.name}")
            calls = _traced(plan, driver, server, filled, work)
            if calls is not None:
                found.append(Traced(server.name, work, calls))
    return found


def _traced(plan: Plan, driver: Driver, server: Server, filled: Filled, work: str) -> float | None:
    target = server.target(filled.service_id, filled.keys.known if work == ALLOWED else filled.keys.unknown)
    pids = server.pids()
    command = ["strace", "-f", "-c", *(part for pid in pids for part in ("-p", str(pid)))]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        alarm = threading.Timer(60.0, process.kill)
        alarm.start()
        try:
            waiting = set(map(str, pids))
            while waiting and (line := process.stderr.readline()):
                if "attached" not in line:
                    process.wait()
                    return None  # it may not be traced here
                waiting.discard(line.split()[2])
            load = driver.run(target, 16, events=plan.traced_events)
            process.send_signal(signal.SIGINT)
            report = process.stderr.read()
        finally:
            alarm.cancel()
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
    return _calls(report) / load.events if load.events else None


def _calls(report: str) -> int:
    """Add up the calls in a summary of strace: share, seconds, microseconds a call, calls, errors or nothing, name."""
    rows = (line.split() for line in report.splitlines())
    return sum(int(row[3]) for row in rows if len(row) in {5, 6} and row[3].isdigit() and row[-1] != "total")
