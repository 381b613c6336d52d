"""A way to a server that can be closed and opened again, while the server keeps what it has."""

import select
import socket
import threading
from contextlib import suppress

__all__ = ["TcpGateway"]

_BLOCK = 65536


class TcpGateway:
    """Passes connections on to a server, or refuses them.

    Args:
        port: Of the server, on loopback.

    Attributes:
        port: Where clients connect to; stays the same.
    """

    def __init__(self, port):
        self._behind = ("127.0.0.1", port)
        self._sockets = []
        self._threads = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._begin()

    def open(self):
        """Let connections through again."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._begin()

    def close(self):
        """Break off all connections, and refuse new ones."""
        for open_socket in [self._listener, *self._sockets]:
            with suppress(OSError):  # closed already
                open_socket.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        while self._threads:
            self._threads.pop().join()
        self._sockets.clear()

    def _begin(self):
        self._threads.append(threading.Thread(target=self._accept, args=(self._listener,)))
        self._threads[0].start()

    def _accept(self, listener):
        with suppress(OSError):  # closed
            while True:
                client, _ = listener.accept()
                self._sockets.append(client)
                self._threads.append(threading.Thread(target=self._pass, args=(client,)))
                self._threads[-1].start()

    def _pass(self, client):
        with client, suppress(OSError), socket.create_connection(self._behind) as server:
            other = {client: server, server: client}
            while True:
                readable, _, _ = select.select([client, server], [], [])
                for source in readable:
                    data = source.recv(_BLOCK)
                    if not data:
                        return
                    other[source].sendall(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
