"""`python -m bench [--quick] [--results DIRECTORY]`: measure everything and keep the results."""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.markdown import Markdown

from bench import changes, copying, machine, plot, report, throughput
from bench.bars import bars
from bench.driver import Driver, make_driver
from bench.plan import FULL, QUICK, Plan
from bench.processes import Memory, memory
from bench.region import REGION, Filled, Region
from bench.servers import (
    FLOOR,
    GEVENT,
    NPM,
    THREADS,
    NotMeasured,
    Server,
    Skipped,
    floor_server,
    gateway_node,
    npm_server,
    replica_directory,
    stock_server,
    sync_daemon,
    wait_for_copy,
)
from kong_app_auth.replica.reader import Replica
from tests.servers.redis import redis_server

_RESULTS = Path(__file__).parent / "results"
_COPY_PATIENCE = 300.0
_COPY_LOOK_EVERY = 0.02


class Run:
    """One run: the parts in turn. A part that fails is reported, and those that do not need it go on."""

    def __init__(self, plan: Plan, directory: Path, console: Console) -> None:
        self.plan = plan
        self.directory = directory
        self.console = console
        self.driver: Driver = make_driver(directory)
        self.machine = machine.describe()
        self.costs: list[throughput.Cost] = []
        self.traced: list[throughput.Traced] = []
        self.skipped: list[Skipped] = []
        self.lookups: list[copying.Lookups] = []
        self.delays: list[changes.Delay] = []
        self.copy: copying.FirstCopy | None = None
        self.memory: list[Memory] = []
        self.problems: list[str] = []
        self._began = time.monotonic()

    def measure(self) -> None:
        """Do all of it."""
        with redis_server() as valkey:
            region = Region(valkey.url)
            with self._part("filling the registry") as say:
                filled = region.fill(
                    self.plan, self.directory, lambda share: say(f"filling the registry: {100 * share:.0f} %")
                )
            with region.beating():
                self._measure_node(region, filled, valkey.process.pid)
            region.close()
        with self._kept("from an edit of apps.yaml to refusal") as say:
            self._measure_edits(say)

    def results(self) -> report.Results:
        """What there is."""
        return report.Results(
            plan=self.plan.name,
            machine=self.machine,
            driver=self.driver.description,
            seconds=time.monotonic() - self._began,
            bars=bars(self.costs, self.delays, self.copy, self.memory),
            costs=self.costs,
            traced=self.traced,
            skipped=self.skipped,
            lookups=self.lookups,
            delays=self.delays,
            copy=self.copy,
            memory=self.memory,
            problems=self.problems,
        )

    def _measure_node(self, region: Region, filled: Filled, valkey_pid: int) -> None:
        directory = self.directory / "node"
        replica = Replica(replica_directory(directory))

        def first_copy(server: Server) -> None:
            began = time.monotonic()
            with self._part("first copy"):
                wait_for_copy(server, replica, _COPY_PATIENCE)
            seconds = time.monotonic() - began
            size = sum(file.stat().st_size for file in replica_directory(directory).glob("registry.*.mdb"))
            self.copy = copying.FirstCopy(filled.credentials, filled.applications, seconds, size, filled.seconds)

        with gateway_node(directory, region.url, first_copy) as server:
            with self._kept("memory") as say:
                target = server.target(filled.service_id, filled.keys.known)
                say(f"{self.plan.random_requests:,} random requests")
                self.driver.run(target, 16, events=self.plan.random_requests)
                self.memory = [*copying.memory_of(server), memory("valkey", valkey_pid)]
            with self._kept("look-ups"):
                self.lookups = copying.look_up(self.plan, replica, filled.keys)
                replica.close()
            with self._kept("comparison") as say, ExitStack() as stack:
                servers = [server, *self._others(stack, directory, filled)]
                self.costs = throughput.measure(self.plan, self.driver, servers, filled, say)
                self.traced = throughput.trace(self.plan, self.driver, servers, filled, say)
            with self._kept("from a change to refusal") as say:
                keys = filled.keys.active[: self.plan.changes]
                self._measure_delays("by the writer", server, filled.service_id, keys, region.revoke, say)

    def _others(self, stack: ExitStack, node: Path, filled: Filled) -> list[Server]:
        replica = replica_directory(node)
        found: list[Server] = []
        for name, context in (
            (THREADS, stock_server(self.directory / "threads", replica, gevent=False)),
            (GEVENT, stock_server(self.directory / "gevent", replica, gevent=True)),
            (NPM, npm_server(self.directory / "npm", filled.keys.known)),
            *((FLOOR, floor_server(self.directory / "floor", work)) for work in throughput.WORKS),
        ):
            try:
                found.append(stack.enter_context(context))
            except NotMeasured as reason:
                self.skipped.append(Skipped(name, str(reason)))
            except (RuntimeError, AssertionError) as error:
                self.skipped.append(Skipped(name, f"it did not start: {error}"))
        return found

    def _measure_edits(self, say: Callable[[str], None]) -> None:
        """The whole way, in a region of its own: file, sync daemon, Valkey, follower, plugin server, driver."""
        directory = self.directory / "edited"
        directory.mkdir()
        keys = (self.directory / "unknown.keys").read_text()
        length = len(keys) // max(1, min(self.plan.keys, 50_000))
        some = [keys[first : first + length] for first in range(0, length * self.plan.applications_in_file, length)]
        service_id = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
        file = directory / "apps.yaml"
        apps = changes.AppsFile(file, REGION, service_id, some)
        replica = Replica(replica_directory(directory))
        with (
            redis_server() as valkey,
            sync_daemon(directory, valkey.url, file),
            gateway_node(directory, valkey.url, lambda server: wait_for_copy(server, replica, 60.0)) as server,
        ):
            way = f"by an edit of apps.yaml ({len(some)} applications)"
            self._measure_delays(way, server, service_id, some[: self.plan.edits], apps.revoke, say)
        replica.close()

    def _measure_delays(
        self,
        way: str,
        server: Server,
        service_id: str,
        keys: list[str],
        revoke: Callable[[str], None],
        say: Callable[[str], None],
    ) -> None:
        probes = changes.Probes(server, service_id)
        try:
            self.delays.append(changes.measure_delays(way, probes, keys, revoke, say))
        finally:
            probes.close()

    @contextmanager
    def _part(self, what: str) -> Generator[Callable[[str], None]]:
        """Show what goes on, and leave a line when it is done."""
        began = time.monotonic()
        with self.console.status(what) as status:
            yield status.update
        self.console.print(f"{what}: {time.monotonic() - began:.1f} s", highlight=False)

    @contextmanager
    def _kept(self, what: str) -> Generator[Callable[[str], None]]:
        """A part whose failure is reported among the results."""
        try:
            with self._part(what) as say:
                yield say
        except Exception as error:
            self.problems.append(f"{what}: {type(error).__name__}: {error}")
            self.console.print(f"[red]{what} failed:[/] {error}", highlight=False)


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)


def main() -> int:
    """Run, print the page, keep it. Exit code 1 where a part failed; a missed bar is a figure and no failure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small numbers, about a minute: does the benchmark work?")
    parser.add_argument("--results", type=Path, help=f"where the results are kept (default: {_RESULTS})")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else FULL
    directory = arguments.results or (_RESULTS if plan is FULL else Path("build/bench-quick"))
    console = Console()
    signal.signal(signal.SIGTERM, _end)
    with tempfile.TemporaryDirectory(prefix="app-auth-bench-") as work:
        run = Run(plan, Path(work), console)
        try:
            run.measure()
        except KeyboardInterrupt:
            console.print("interrupted: nothing was written")
            return 130
    results = run.results()
    report.write(results, directory)
    if results.costs:
        plot.draw(results.costs, directory / "latest.svg")
    console.print(Markdown(report.markdown(results)))
    console.print(f"kept in {directory}", highlight=False)
    return 1 if results.problems else 0


if __name__ == "__main__":
    sys.exit(main())
