"""Servers for integration tests: started once a session, and flushed (revived, where one was killed) for each test."""

from collections.abc import Iterator

import pytest

from tests.servers.postgres import PostgresServer, postgres_server
from tests.servers.redis import (
    REDIS,
    VALKEY,
    RedisCluster,
    RedisServer,
)
from tests.servers.redis import (
    redis_cluster as started_cluster,
)
from tests.servers.redis import (
    redis_server as started_server,
)


def _fresh(server: RedisServer) -> RedisServer:
    if server.process.poll() is not None:
        server.restart()
    server.flush()
    return server


@pytest.fixture(scope="session")
def valkey_of_session() -> Iterator[RedisServer]:
    with started_server(VALKEY) as server:
        yield server


@pytest.fixture(scope="session")
def redis_of_session() -> Iterator[RedisServer]:
    with started_server(REDIS) as server:
        yield server


@pytest.fixture(scope="session")
def cluster_of_session() -> Iterator[RedisCluster]:
    with started_cluster(VALKEY) as cluster:
        yield cluster


@pytest.fixture
def valkey(valkey_of_session: RedisServer) -> RedisServer:
    """An empty Valkey 9."""
    return _fresh(valkey_of_session)


@pytest.fixture
def redis_server(redis_of_session: RedisServer) -> RedisServer:
    """An empty Redis 8."""
    return _fresh(redis_of_session)


@pytest.fixture
def redis_cluster(cluster_of_session: RedisCluster) -> RedisCluster:
    """An empty cluster of three."""
    cluster_of_session.flush()
    return cluster_of_session


@pytest.fixture(scope="session")
def postgres_of_session() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres(postgres_of_session: PostgresServer) -> PostgresServer:
    """A PostgreSQL server: `with postgres.database() as url` gives an empty database of its own."""
    if postgres_of_session.process.poll() is not None:
        postgres_of_session.restart()
    return postgres_of_session
