"""What Alembic runs before the steps: they go over the connection that steps.py opened."""

from alembic import context
from sqlalchemy import Connection

from fastagi.schema import metadata

connection: Connection = context.config.attributes["connection"]
# The transaction is steps.py's: on SQLite it holds the write lock from before the first look.
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
