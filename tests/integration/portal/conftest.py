"""An empty database with our schema, of either kind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.portal import prepare
from tests.servers.postgres import PostgresServer


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'portal.db'}"
    prepare(url)
    return url


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    with postgres.database(prepare) as url:
        yield url


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))
