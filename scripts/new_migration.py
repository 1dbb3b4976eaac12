"""Writes a migration from what the records say and the migrations do not: `python -m scripts.new_migration "why"`.

Read it before it is committed: Alembic does not see renames, and data has to be moved by hand.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from kong_app_auth.portal.store.database import Database
from kong_app_auth.portal.store.schema import configuration, migrate


def _write(connection: Connection, message: str) -> None:
    config = configuration(connection)
    number = sum(1 for _ in ScriptDirectory.from_config(config).walk_revisions()) + 1
    command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")


def main() -> None:
    """Migrate an empty database to the newest revision, and write what is missing then."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite:///{Path(directory) / 'empty.db'}")
        migrate(database)
        with database.engine.begin() as connection:
            _write(connection, sys.argv[1])
        database.close()


if __name__ == "__main__":
    main()
