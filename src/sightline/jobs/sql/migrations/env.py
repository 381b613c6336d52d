"""Runs the versions in the transaction of `Database.migrate`."""

from alembic import context

from sightline.jobs.sql.schema import metadata

__all__ = ["run"]


def run() -> None:
    """Run the versions that are missing; works only when Alembic calls it."""
    context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":  # as Alembic calls it; whoever imports it for its docstring runs nothing
    run()
