"""The load: `driver.c`, compiled when it is needed; where there is no compiler, threads of Python, which is said."""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol as Interface

import msgspec

from bench.kong import ALLOWED, UNMARKED, Connection, Headers, Protocol

_SOURCE = Path(__file__).with_name("driver.c")
_PATIENCE = 120.0


class Target(msgspec.Struct, frozen=True):
    """The server that is driven, and what is sent to it."""

    socket: Path
    protocol: Protocol
    instance: int
    headers: Headers
    keys: Path
    key_length: int


class Load(msgspec.Struct, frozen=True):
    """What the driver counted between "begin" and the end. Latencies are those of whole events, in microseconds."""

    events: int
    seconds: float
    allowed: int
    unmarked: int
    lost: int
    calls: int
    connects: int
    p50_us: float
    p99_us: float
    driver_cpu_us: float
    exits: dict[str, int]


class DriverFailed(Exception):  # noqa: N818 – says what happened
    """The driver ended early; the text is what it said."""


class Driver(Interface):
    """Something that keeps `connections` events going at once."""

    description: str

    def run(
        self,
        target: Target,
        connections: int,
        *,
        warm_up: float = 0.0,
        seconds: float = 0.0,
        events: int = 0,
        mark: Callable[[], None] = lambda: None,
    ) -> Load:
        """Drive for `seconds` after `warm_up` seconds, or for that many `events`.

        `mark` is called where counting begins, and where it ends.
        """
        ...


class CompiledDriver:
    """The C program."""

    description = "C, one thread, epoll"

    def __init__(self, program: Path, directory: Path) -> None:
        self._program = program
        self._directory = directory

    def run(
        self,
        target: Target,
        connections: int,
        *,
        warm_up: float = 0.0,
        seconds: float = 0.0,
        events: int = 0,
        mark: Callable[[], None] = lambda: None,
    ) -> Load:
        """See `Driver`."""
        headers = self._directory / f"headers.{target.protocol}"
        headers.write_bytes(target.headers.body)
        arguments = [
            *(self._program, target.socket, target.protocol, target.instance, connections, warm_up, seconds, events),
            *(headers, target.headers.key_at, target.keys, target.key_length),
        ]
        with subprocess.Popen(
            [str(argument) for argument in arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            # A server that no longer answers shall not hold up the run for ever.
            alarm = threading.Timer(_PATIENCE, process.kill)
            alarm.start()
            try:
                assert process.stdout is not None
                assert process.stderr is not None
                if process.stdout.readline() == "begin\n":
                    mark()
                line = process.stdout.readline()
                mark()
                said = process.stderr.read()
            except BaseException:
                process.kill()
                raise
            finally:
                alarm.cancel()
        if process.returncode != 0:
            raise DriverFailed(said.strip() or f"the driver ended with code {process.returncode}")
        return msgspec.json.decode(line, type=Load)


class PythonDriver:
    """Blocking connections, a thread each. It may be slower than what it measures: then CPU per event still holds."""

    description = "Python, threads (no C compiler: events per second are bounded by the driver)"

    def run(
        self,
        target: Target,
        connections: int,
        *,
        warm_up: float = 0.0,
        seconds: float = 0.0,
        events: int = 0,
        mark: Callable[[], None] = lambda: None,
    ) -> Load:
        """See `Driver`."""
        keys = target.keys.read_bytes()
        tallies = [_Tally(target, keys, number, connections, events) for number in range(connections)]
        threads = [threading.Thread(target=tally.run, daemon=True) for tally in tallies]
        for thread in threads:
            thread.start()
        time.sleep(warm_up)
        before = [list(tally.statuses) for tally in tallies]
        began, cpu = time.monotonic(), time.process_time()
        mark()
        if events:
            for thread in threads:
                thread.join(_PATIENCE)
            before = [list[int]() for _ in tallies]
        else:
            time.sleep(seconds)
        took, cpu = time.monotonic() - began, time.process_time() - cpu
        mark()
        for tally in tallies:
            tally.stop = True
        for thread in threads:
            thread.join(_PATIENCE)
        statuses = [s for tally, old in zip(tallies, before, strict=True) for s in tally.statuses[len(old) :]]
        latencies = sorted(time for tally in tallies for time in tally.latencies) or [0.0]
        exits = [status for status in statuses if status > 0]
        return Load(
            events=len(statuses),
            seconds=took,
            allowed=statuses.count(ALLOWED),
            unmarked=statuses.count(UNMARKED),
            lost=sum(tally.lost for tally in tallies),
            calls=0,
            connects=0,
            p50_us=1e6 * latencies[len(latencies) // 2],
            p99_us=1e6 * latencies[len(latencies) * 99 // 100],
            driver_cpu_us=1e6 * cpu / max(1, len(statuses)),
            exits={str(status): exits.count(status) for status in sorted(set(exits))},
        )


class _Tally:
    """One connection's events. The keys go round among the connections."""

    def __init__(self, target: Target, keys: bytes, number: int, connections: int, events: int) -> None:
        self._target = target
        self._keys = keys
        self._number = number
        self._step = connections
        self._events = events
        self.statuses: list[int] = []
        self.latencies: list[float] = []
        self.lost = 0
        self.stop = False

    def run(self) -> None:
        target, length = self._target, self._target.key_length
        body, at = target.headers.body, target.headers.key_at
        connection = Connection(target.socket, target.protocol)
        number = self._number
        while not self.stop and not (self._events and number >= self._events):
            first = number * length % len(self._keys)
            began = time.perf_counter()
            try:
                key = self._keys[first : first + length]
                self.statuses.append(connection.event(target.instance, body[:at] + key + body[at + length :]))
            except ConnectionError:
                self.lost += 1
            self.latencies.append(time.perf_counter() - began)
            number += self._step
        connection.close()


def make_driver(directory: Path) -> Driver:
    """Compile the C driver into `directory`, or do without."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return PythonDriver()
    program = directory / "driver"
    made = subprocess.run(
        [compiler, "-O2", "-std=c11", "-o", str(program), str(_SOURCE)], capture_output=True, text=True, check=False
    )
    return CompiledDriver(program, directory) if made.returncode == 0 else PythonDriver()
