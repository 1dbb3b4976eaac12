"""What an event costs: each server in turn, at each number of connections, for allowed and for refused requests."""

import contextlib
import os
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
_COUNTED = ("raw_syscalls:sys_enter", "context-switches")


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
    driver_cpu_us: float
    rounds: int


class Traced(msgspec.Struct, frozen=True):
    """System calls and switches of any kind an event, also of threads that have ended; from a run of their own."""

    server: str
    work: str
    calls: float
    switches: float


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
            able = [server for server in servers if server.only in (None, work)]
            rounds: dict[str, list[_Round]] = {server.name: [] for server in able}
            for _ in range(plan.rounds):
                for server in able:
                    progress(f"{work}, {connections} connections: {server.name}")
                    rounds[server.name].append(_one_round(plan, driver, server, filled, work, connections))
            costs += [_cost(server.name, work, connections, rounds[server.name]) for server in able]
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
        driver_cpu_us=median(lambda one: one.load.driver_cpu_us),
        rounds=len(rounds),
    )


def _spread(values: list[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


def trace(
    plan: Plan, driver: Driver, servers: Sequence[Server], filled: Filled, progress: Callable[[str], None]
) -> list[Traced]:
    """Count system calls and switches at 16 connections. Empty where perf is missing or may not look."""
    if shutil.which("perf") is None:
        return []
    found: list[Traced] = []
    for work in WORKS:
        for server in (one for one in servers if one.only in (None, work)):
            progress(f"system calls, {work}: {server.name}")
            traced = _traced(plan, driver, server, filled, work)
            if traced is not None:
                found.append(traced)
    return found


def _traced(plan: Plan, driver: Driver, server: Server, filled: Filled, work: str) -> Traced | None:
    target = server.target(filled.service_id, filled.keys.known if work == ALLOWED else filled.keys.unknown)
    orders, give_orders = os.pipe()
    hear_answers, answers = os.pipe()
    command = ["perf", "stat", "-x", ",", "-e", ",".join(_COUNTED), "-p", ",".join(map(str, server.pids()))]
    # It begins when it is told to, and says when it has begun.
    command += ["--delay", "-1", "--control", f"fd:{orders},{answers}"]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=(orders, answers)
    ) as process:
        os.close(orders)
        os.close(answers)
        alarm = threading.Timer(60.0, process.kill)
        alarm.start()
        try:
            with os.fdopen(give_orders, "wb", buffering=0) as teller, os.fdopen(hear_answers, "rb") as listener:
                with contextlib.suppress(BrokenPipeError):
                    teller.write(b"enable\n")
                if not listener.readline():
                    return None  # it may not look here
                load = driver.run(target, 16, events=plan.traced_events)
                process.send_signal(signal.SIGINT)
                counts = _counts(process.communicate()[1].decode())
        finally:
            alarm.cancel()
            process.kill()
    if not load.events or len(counts) < len(_COUNTED):
        return None
    return Traced(server.name, work, *(count / load.events for count in counts))


def _counts(report: str) -> list[int]:
    """The numbers of `perf stat -x ,`, in the order of what was counted."""
    lines = (line.split(",") for line in report.splitlines())
    return [int(fields[0]) for fields in lines if len(fields) > 2 and fields[0].isdigit() and fields[2] in _COUNTED]
