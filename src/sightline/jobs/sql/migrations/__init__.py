"""How the tables of the database came to be, version by version; Alembic runs it."""

__all__: list[str] = []
