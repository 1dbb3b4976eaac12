"""The database's schema: brought up to date by migrations (Alembic), forwards and backwards."""

from importlib.resources import files
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from kong_app_auth.portal.store.database import Database

HEAD: Final = "head"


class NewerDatabase(Exception):  # noqa: N818
    """The database was written by a newer version of the portal."""


def migrate(database: Database, target: str = HEAD) -> None:
    """Bring the schema to `target`: a revision, `head` or `base`. Raises NewerDatabase."""
    with database.writing() as connection:
        if not database.is_sqlite:  # of several portals that start at a time, one migrates
            connection.execute(text("SELECT pg_advisory_xact_lock(7411)"))
        config = configuration(connection)
        scripts = ScriptDirectory.from_config(config)
        current = MigrationContext.configure(connection).get_current_revision()
        if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
            raise NewerDatabase("the database was written by a newer version of the portal")
        down = target == "base" or (current is not None and _is_before(scripts, target, current))
        (command.downgrade if down else command.upgrade)(config, target)


def configuration(connection: Connection) -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(files("kong_app_auth.portal.store") / "migrations"))
    config.attributes["connection"] = connection
    return config


def _is_before(scripts: ScriptDirectory, target: str, current: str) -> bool:
    older = {script.revision for script in scripts.iterate_revisions(current, "base")}
    return target != HEAD and target in older and target != current
