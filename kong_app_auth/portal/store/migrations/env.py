"""Alembic's way in. It is always given a connection: see `store.schema`."""

from alembic import context

from kong_app_auth.portal.store.records import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
