"""A web server on this machine that serves one file, well or badly."""

import hashlib
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from sightline.detect.catalogue import CatalogueEntry
from sightline.detect.layouts.layout import Layout


@dataclass
class FileServer:
    """What the server does; tests change it before a request.

    `break_after` lists, per request, after how many bytes of the body to break off. `requests`
    records path and Range header, and `asked` is set by the first of them.
    """

    content: bytes
    ranges: bool = True
    status: int = 200
    redirect_to: str | None = None
    break_after: list[int] = field(default_factory=list)
    stall: threading.Event | None = None
    declare_length: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        serving: FileServer = self.server.serving
        asked = self.headers.get("Range")
        serving.requests.append((self.path, asked))
        serving.asked.set()
        if serving.redirect_to and not self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", serving.redirect_to)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif serving.status != 200:
            self.send_response(serving.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._send_file(serving, asked)

    def _send_file(self, serving, asked):
        total = len(serving.content)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and serving.ranges else 0
        body = serving.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if serving.declare_length:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        if serving.break_after:
            body = body[: serving.break_after.pop(0)]
            self.close_connection = True
        if serving.stall is not None:
            self.wfile.write(body[:1000])
            self.wfile.flush()
            serving.stall.wait(30)
            self.close_connection = True
            return
        self.wfile.write(body)
        if not serving.declare_length:
            self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    """Return a function that starts a server for some content."""
    with ExitStack() as stack:

        def start(content, **behaviour):
            server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
            server.daemon_threads = True
            server.serving = FileServer(content=content, **behaviour)
            server.serving.url = f"http://127.0.0.1:{server.server_port}/model.onnx"
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            return server.serving

        yield start


@pytest.fixture
def content():
    return np.random.default_rng(7).bytes(300_000)


@pytest.fixture
def entry_for():
    """Return a function that makes a catalogue entry for some content on some servers."""

    def make(content, *servers):
        return CatalogueEntry(
            name="test-model",
            summary="A test",
            file_name="model.onnx",
            urls=tuple(server.url for server in servers),
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            licence="Apache-2.0",
            source="https://example.org",
            layout=Layout.YOLOX,
            class_names=("a",),
        )

    return make
