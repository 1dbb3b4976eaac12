"""Followers and readers in processes of their own, as in a gateway node. (LMDB opens a file once in a process.)

`python -m tests.servers.replica read` answers questions on its standard input; `… follow URL REGION DIRECTORY` follows,
and with `--lockstep` asks for leave at every sign of life, so that a test can kill it just where it wants to.
"""

import argparse
import contextlib
import pickle
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kong_app_auth.domain.policy import ServicePolicy
from kong_app_auth.registry.connection import connect
from kong_app_auth.replica.follower import Follower
from kong_app_auth.replica.reader import Replica
from kong_app_auth.replica.store import DEFAULT_MAP_SIZE
from tests.servers.process import end, end_with_parent


class Reader:
    """A worker's process: `reader(directory, "credential", digest)` is Replica(directory).credential(digest) there."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process

    def __call__(self, directory: Path, method: str, *arguments: Any) -> Any:
        self.ask(directory, method, *arguments)
        return self.answer()

    def ask(self, directory: Path, method: str, *arguments: Any) -> None:
        """Ask, and do something else until the answer is wanted. `hammer` is asked of this module."""
        assert self.process.stdin is not None
        pickle.dump((directory, method, arguments), self.process.stdin)
        self.process.stdin.flush()

    def answer(self) -> Any:
        """Wait for the answer."""
        assert self.process.stdout is not None
        answer = pickle.load(self.process.stdout)
        if isinstance(answer, BaseException):
            raise answer
        return answer


@contextlib.contextmanager
def reader_process() -> Iterator[Reader]:
    """Start a worker's process."""
    command = [sys.executable, "-m", "tests.servers.replica", "read"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Reader(process)
        finally:
            end(process)


class FollowerProcess:
    """A follower's process; `let` gives it leave to go on after so many signs of life (in lockstep only)."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process

    def let(self) -> bool:
        """Wait for a sign of life and let it go on. False when it has ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if not self.process.stdout.read(1):
            return False
        self.process.stdin.write(b"g")
        self.process.stdin.flush()
        return True

    def let_until(self, condition: Callable[[], object]) -> None:
        """Let it go on until the condition holds; it then waits for leave."""
        while not condition():
            assert self.let(), "the follower has ended"

    def kill(self) -> None:
        end(self.process)


@contextlib.contextmanager
def follower_process(
    url: str, region: str, directory: Path, *, lockstep: bool = False, file_limit: int | None = None
) -> Iterator[FollowerProcess]:
    """Start a follower's process. `file_limit` is the size in bytes that no file of it may exceed."""
    command = [sys.executable, "-m", "tests.servers.replica", "follow", url, region, str(directory)]
    command += ["--lockstep"] if lockstep else []
    command += ["--file-limit", str(file_limit)] if file_limit else []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield FollowerProcess(process)
        finally:
            end(process)


def _hammer(replica: Replica, digest: bytes, service_id: str, policy: ServicePolicy) -> list[str]:
    """Read in eight threads until the registry's epoch is `end`; tell what was ever missing or raised."""
    failures: list[str] = []

    def read() -> None:
        try:
            while (position := replica.position()) is None or position.epoch != "end":
                credential, holder = replica.credential(digest)
                if credential is None or holder is None or replica.policy_of_service(service_id) != policy:
                    failures.append("a copy was not whole")
        except BaseException as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures[:5]


def _read() -> None:
    answers = sys.stdout.buffer
    sys.stdout = sys.stderr  # the log goes there
    replicas: dict[Path, Replica] = {}
    while True:
        try:
            directory, method, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            replica = replicas.setdefault(directory, Replica(directory))
            answer = _hammer(replica, *arguments) if method == "hammer" else getattr(replica, method)(*arguments)
        except Exception as error:
            answer = error
        pickle.dump(answer, answers)
        answers.flush()


def _follow(url: str, region: str, directory: Path, lockstep: bool, file_limit: int | None) -> None:
    events = sys.stdout.buffer
    sys.stdout = sys.stderr  # the log goes there; standard output is for signs of life
    if file_limit:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, resource.RLIM_INFINITY))

    def alive() -> None:
        events.write(b".")
        events.flush()
        sys.stdin.buffer.read(1)

    follower = Follower(
        lambda: connect(url), region, directory, on_alive=alive if lockstep else None, map_size=DEFAULT_MAP_SIZE
    )
    follower.run(threading.Event())


if __name__ == "__main__":
    end_with_parent()
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["read", "follow"])
    parser.add_argument("where", nargs="*")
    parser.add_argument("--lockstep", action="store_true")
    parser.add_argument("--file-limit", type=int)
    parsed = parser.parse_args()
    if parsed.what == "read":
        _read()
    else:
        _follow(parsed.where[0], parsed.where[1], Path(parsed.where[2]), parsed.lockstep, parsed.file_limit)
