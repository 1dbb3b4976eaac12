"""The schema, forwards and backwards, on both databases; and it is the one that the records are written for."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from kong_app_auth.portal.store.database import Database
from kong_app_auth.portal.store.records import METADATA
from kong_app_auth.portal.store.schema import NewerDatabase, migrate
from tests.servers.postgres import postgres_server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'portal.db'}")
        yield database
        database.close()
        return
    with postgres_server() as server, server.database() as url:
        database = Database(url)
        yield database
        database.close()


def _tables(database: Database) -> set[str]:
    return set(inspect(database.engine).get_table_names()) - {"alembic_version"}


def test_migrations_make_what_the_records_say_and_can_be_undone(database: Database) -> None:
    migrate(database)
    assert _tables(database) == set(METADATA.tables)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == [], "python -m scripts.new_migration"
    migrate(database)
    migrate(database, "base")
    assert _tables(database) == set()
    migrate(database)
    assert _tables(database) == set(METADATA.tables)


def test_a_database_of_a_newer_version_is_left_alone(database: Database) -> None:
    migrate(database)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(NewerDatabase):
        migrate(database)
