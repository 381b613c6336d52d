"""A proxy that breaks connections off."""

import select
import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

__all__ = ["CuttingProxy"]

_BLOCK = 4096


class CuttingProxy:
    """Passes everything on, but cuts the first connections after so many bytes, of both sides.

    Args:
        url: Of the server behind it.
        cuts: After how many bytes the first, the second, … connection is cut.

    Attributes:
        url: Of the proxy.
        connections: How many there were.
    """

    def __init__(self, url, cuts):
        parts = urlsplit(url)
        self._behind = (parts.hostname, parts.port)
        self._cuts = list(cuts)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._clients = []
        self._threads = [threading.Thread(target=self._accept)]
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._threads[0].start()

    def _accept(self):
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                self._clients.append(client)
                self.connections += 1
                most = self._cuts.pop(0) if self._cuts else None
                thread = threading.Thread(target=self._pass, args=(client, most))
                self._threads.append(thread)
                thread.start()

    def _pass(self, client, most):
        with client, socket.create_connection(self._behind) as server, suppress(OSError):
            passed = 0
            while True:
                readable, _, _ = select.select([client, server], [], [])
                for source, target in ((client, server), (server, client)):
                    if source not in readable:
                        continue
                    data = source.recv(_BLOCK)
                    if not data:
                        return
                    if most is not None and passed + len(data) > most:
                        target.sendall(data[: most - passed])
                        return
                    passed += len(data)
                    target.sendall(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for client in self._clients:
            with suppress(OSError):  # closed already
                client.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
