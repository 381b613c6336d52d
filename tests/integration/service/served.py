"""A service behind a real server: for what only sockets show, and to be killed."""

import socket
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn

from sightline.jobs.detect_track import DetectTrack
from sightline.jobs.detectors import AllowedDetectors
from sightline.jobs.files import Storage
from sightline.jobs.pipelines import Offers
from sightline.jobs.sql.database import Database
from sightline.jobs.sql_store import SqlJobStore
from sightline.service.access import Access
from sightline.service.application import make_application
from sightline.service.secret import load_secret
from sightline.service.services import Services
from sightline.service.uploads import Uploads
from sightline.settings import Settings
from sightline.transport.tcp_listener import listen_tcp

__all__ = ["drip", "make_services", "receive_head", "served", "wait_for"]

_DEADLINE_S = 20.0


def make_services(folder, *, limits=None):
    database = Database(f"sqlite:///{folder / 'jobs.sqlite'}")
    database.migrate()
    store = SqlJobStore(database)
    storage = Storage(folder)
    return Services(
        store=store,
        storage=storage,
        database=database,
        offers=Offers([DetectTrack(AllowedDetectors(["demo"], settings=Settings()))]),
        access=Access.over(database, store, secret=load_secret(folder), local=True),
        uploads=Uploads(database, storage, limits=limits),
        free_bytes=0,
    )


@contextmanager
def served(services):
    """Serve in a thread; gives (host, port)."""
    with listen_tcp("127.0.0.1", 0) as listener:
        server = _server(services)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join(_DEADLINE_S)
            assert not thread.is_alive()


def receive_head(connection):
    """Read the head of an answer, as text."""
    connection.settimeout(_DEADLINE_S)
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(4096)
        assert piece, f"the connection ended after {head!r}"
        head += piece
    return head.partition(b"\r\n\r\n")[0].decode()


def drip(connection, piece, *, seconds):
    """Send a piece again and again until an answer begins, for so long at most; return it."""
    connection.settimeout(0.05)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        connection.sendall(piece)
        with suppress(TimeoutError):
            return connection.recv(4096)
    return b""


def wait_for(condition):
    """Wait until something holds."""
    deadline = time.monotonic() + _DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.005)


def _server(services):
    application = make_application(services)
    return uvicorn.Server(
        uvicorn.Config(
            application, log_config=None, access_log=False, timeout_graceful_shutdown=1, http="h11"
        )
    )


def main():
    """Serve the data folder that is named, on the socket that is inherited."""
    folder, descriptor = Path(sys.argv[1]), int(sys.argv[2])
    with socket.socket(fileno=descriptor) as listener:
        _server(make_services(folder)).run([listener])


if __name__ == "__main__":
    main()
