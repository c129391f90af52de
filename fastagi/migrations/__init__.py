"""How the tables of schema.py come into a database, step by step (Alembic, run by `upgrade`)."""
