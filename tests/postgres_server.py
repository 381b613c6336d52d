"""A PostgreSQL server of the tests' own, with a database for each of them."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg
from tests.graph_witness import children_of, is_dead

_USER = "sightline"
_PASSWORD = "open-sesame"
_READY_S = 60
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "listen_addresses": "127.0.0.1",
    "autovacuum": "off",
}


def postgres_programs():
    """Give the folder of the newest server's programs; None if there is no server."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4])
    )
    if found:
        return found[-1].parent
    elsewhere = shutil.which("initdb")
    return None if elsewhere is None else Path(elsewhere).resolve().parent


class PostgresServer:
    """A server that runs until it is closed; for a user who may make databases."""

    def __init__(self, programs):
        self._programs = programs
        self._numbers = count()
        self._process = None
        self._folder = Path(tempfile.mkdtemp(prefix="sightline-postgres-"))
        self._as_user = ["setpriv", "--pdeathsig", "TERM"]
        if os.getuid() == 0:  # as which it refuses to run
            account = pwd.getpwnam("postgres")
            os.chown(self._folder, account.pw_uid, account.pw_gid)
            self._as_user += [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}"]
            self._as_user += ["--clear-groups"]
        self._data = self._folder / "data"
        self.port = _free_port()
        try:
            self._initialize()
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self):
        """Start the server on its data, and wait until it answers."""
        command = [self._programs / "postgres", "-D", self._data, "-p", str(self.port)]
        command += ["-c", f"unix_socket_directories={self._folder}"]
        for name, value in _SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as_user, *command], stdout=log, stderr=log, cwd=self._folder
            )
        until_s = time.monotonic() + _READY_S
        while True:
            try:
                with self.connect("postgres"):
                    return
            except psycopg.OperationalError:
                ended = self._process.poll() is not None
                if ended or time.monotonic() > until_s:
                    raise RuntimeError((self._folder / "log").read_text()) from None
                time.sleep(0.05)

    def stop(self):
        """End the server at once, with all its connections, as a restart does."""
        self._process.send_signal(signal.SIGINT)
        assert self._process.wait(_READY_S) == 0

    def kill(self):
        """Kill the server with all its processes, and wait for their end."""
        processes = [self._process.pid, *children_of(self._process.pid)]
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        assert all(is_dead(pid) for pid in processes)

    def close(self):
        """End the server, and remove what it has."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(_READY_S)
        shutil.rmtree(self._folder)

    def url(self, name, *, user=_USER, password=_PASSWORD):
        """Give the address of a database."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{name}"

    def connect(self, name):
        """Connect to a database, without transactions."""
        return psycopg.connect(self.url(name), autocommit=True, connect_timeout=5)

    def clear(self, name, tables):
        """End what works on a database, and empty its tables, named in the order of making."""
        with self.connect(name) as connection:
            self.end_backends(connection)
            for table in reversed(tables):
                connection.execute(f"DELETE FROM {table}")

    @staticmethod
    def end_backends(connection):
        """Have the server end all other connections to a database; return how many."""
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return len(ended.fetchall())

    @contextmanager
    def database(self):
        """Give the name of a new database, which is removed at the end."""
        name = f"test_{next(self._numbers)}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            with self.connect("postgres") as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _initialize(self):
        word = self._folder / "word"
        word.write_text(_PASSWORD)
        word.chmod(0o644)
        command = [self._programs / "initdb", "-D", self._data, "-U", _USER]
        command += ["--auth=scram-sha-256", f"--pwfile={word}", "--encoding=UTF8", "--locale=C"]
        command += ["--no-sync", "--no-instructions"]
        subprocess.run(
            [*self._as_user, *command], check=True, capture_output=True, cwd=self._folder
        )


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
