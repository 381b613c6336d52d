"""Fixtures that every kind of test may use."""

import multiprocessing.forkserver
import os
import signal
from pathlib import Path

import hypothesis
import pytest
from tests.postgres_server import PostgresServer, postgres_programs

from sightline.jobs.sql.database import Database
from sightline.jobs.sql.schema import metadata

# No test may fail by timing alone; and what CI tries, it tries again.
hypothesis.settings.register_profile("project", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("project")

# What a shell starts in the background ignores Ctrl-C, and so do all processes that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


_MOODY = ("acceptance", "integration")
"""Folders of tests that start processes, servers and browsers, and kill them at random."""


def pytest_collection_modifyitems(items):
    """Try a test of those folders once more in CI; the summary says why."""
    if "CI" in os.environ:
        folders = [Path(__file__).parent / folder for folder in _MOODY]
        for item in items:
            if any(item.path.is_relative_to(folder) for folder in folders):
                item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_terminal_summary(terminalreporter):
    """Say why tests were tried again: what passes at its second try has failed once, too."""
    again = terminalreporter.stats.get("rerun", [])
    if again:
        terminalreporter.section("tried again, because")
    for report in again:
        terminalreporter.write_sep("_", f"{report.nodeid} ({report.when})")
        terminalreporter.write_line(report.longreprtext)
        for name, text in report.sections:
            terminalreporter.write_sep("-", name)
            terminalreporter.write_line(text.rstrip())


@pytest.fixture(autouse=True)
def usual_priority():
    """Let no test leave a priority behind with which later ones keep all others from the cores."""
    yield
    policy = os.sched_getscheduler(0)
    if policy != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        pytest.fail(f"this test left its process with the scheduling policy {policy}")


def _missing(what: str) -> None:
    """Skip on a laptop, fail in CI: what CI does not run, nobody runs."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is required in CI")
    pytest.skip(f"{what} is not here")


@pytest.fixture(scope="session")
def missing():
    """Call it with the name of what a test needs and does not find."""
    return _missing


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server, with the database `migrated`, which has tables."""
    programs = postgres_programs()
    if programs is None:
        _missing("a PostgreSQL server (Debian's package postgresql)")
    server = PostgresServer(programs)
    try:
        with server.connect("postgres") as connection:
            connection.execute("CREATE DATABASE migrated")
        with Database(server.url("migrated")) as database:
            database.migrate()
        yield server
    finally:
        server.close()


@pytest.fixture
def postgres_url(postgres):
    """The address of a database with tables that are empty."""
    postgres.clear("migrated", [table.name for table in metadata.sorted_tables])
    return postgres.url("migrated")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real models, videos and sequences beside the project."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SIGHTLINE_TEST_DATA", default))
    if not folder.is_dir():
        _missing(f"the test data folder {folder} (set SIGHTLINE_TEST_DATA)")
    return folder


@pytest.fixture(scope="session")
def fork_server() -> None:
    """The process that graphs and jobs fork theirs from, with all that either of them loads.

    A program has one, which loads what the first that needs it says; tests need it for both.
    """
    from sightline.graph.crew import PRELOADED
    from sightline.jobs.supervisor import _PRELOAD

    multiprocessing.forkserver.set_forkserver_preload([*PRELOADED, *_PRELOAD])
    multiprocessing.forkserver.ensure_running()
