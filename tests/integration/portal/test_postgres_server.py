"""The PostgreSQL of the tests: databases are fresh, copies of a template, and gone at the end."""

import psycopg
import pytest

from tests.servers.postgres import PostgresServer


def _table(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE things (id int)")


def test_each_database_is_a_copy_of_the_template_and_gone_at_the_end(postgres: PostgresServer) -> None:
    with postgres.database(_table) as one, postgres.database(_table) as other:
        with psycopg.connect(one) as connection:
            connection.execute("INSERT INTO things VALUES (1)")
        with psycopg.connect(other) as connection:
            assert connection.execute("SELECT count(*) FROM things").fetchone() == (0,)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(one)


def test_a_crash_breaks_connections_and_what_was_committed_is_there_after_the_restart(postgres: PostgresServer) -> None:
    with postgres.database(_table) as url:
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO things VALUES (1)")
        with psycopg.connect(url) as connection:
            postgres.kill()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        postgres.restart()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT id FROM things").fetchall() == [(1,)]
