"""How the tables of schema.py come into a database, step by step (Alembic, run by `upgrade`)."""

from fastagi.migrations.steps import needs_upgrade, upgrade

__all__ = ["needs_upgrade", "upgrade"]
