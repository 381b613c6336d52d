"""A server that does whatever a test wants, byte by byte."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import suppress

import pytest

from sightline.fetch.policy import AddressPolicy

_LONGEST_S = 30


class RawServer:
    """Answers every connection by a function of the request's head; counts what came.

    Attributes:
        requests: The heads of all requests, in order of arrival.
        port: Where it listens, on the loopback interface.
    """

    def __init__(self, answer, *, host="127.0.0.1", context=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self._answer = answer
        self._context = context
        self._connections = []
        self._threads = []
        self.requests = []
        self.port = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    def url(self, path="/video.mp4", host="127.0.0.1"):
        return f"{'https' if self._context else 'http'}://{host}:{self.port}{path}"

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        self.hang_up()
        for thread in self._threads:
            thread.join()

    def hang_up(self):
        """Close all connections; those that come later are served."""
        while self._connections:
            connection = self._connections.pop()
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(_LONGEST_S)
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection):
        with suppress(OSError):
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
                self._connections.append(connection)
            head = b""
            while b"\r\n\r\n" not in head:
                received = connection.recv(65536)
                if not received:
                    return
                head += received
            self.requests.append(head.decode())
            for block in self._answer(head.decode()):
                connection.sendall(block)
            connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def serve():
    """Start a server: `serve(lambda head: [b"HTTP/1.1 200 OK\\r\\n\\r\\n", b"body"])`."""
    servers = []

    def start(answer, **options):
        server = RawServer(answer, **options)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def loopback():
    """A policy that lets through what it usually keeps out: this machine."""
    return AddressPolicy(private=("127.0.0.0/8",), ports=None)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory, missing):
    """A certificate for video.example that signs itself: its file, and that of its key."""
    if shutil.which("openssl") is None:
        missing("openssl")
    folder = tmp_path_factory.mktemp("tls")
    subject = ["-subj", "/CN=video.example", "-addext", "subjectAltName=DNS:video.example"]
    files = ["-keyout", folder / "key.pem", "-out", folder / "certificate.pem"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subprocess.run([*command, *subject, *files], check=True, capture_output=True)
    return folder / "certificate.pem", folder / "key.pem"


@pytest.fixture
def tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context
