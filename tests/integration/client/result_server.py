"""A web server with one result, which is busy at first and breaks connections off."""

import re
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["ResultServer"]


class ResultServer:
    """Answers every GET with the result, or the rest of it, once the refusals are used up.

    Args:
        content: The result.
        refusals: Status and header fields of the answers before that, in order.
        most_bytes: How much of the result one connection brings before it breaks; None: all.

    Attributes:
        url: Where it is.
        asked_at_s: When each request came, on the monotonic clock.
    """

    def __init__(self, content, *, refusals=(), most_bytes=None):
        self.asked_at_s = []
        asked_at_s, waiting = self.asked_at_s, iter(refusals)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                asked_at_s.append(time.monotonic())
                status, fields = next(waiting, (None, None))
                if status is None:
                    self._send_result()
                else:
                    self._send_head(status, {**fields, "content-length": "0"})

            def _send_result(self):
                asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
                rest = content[int(asked[1]) if asked else 0 :]
                fields = {"etag": '"1"', "content-length": str(len(rest))}
                self._send_head(206 if asked else 200, fields)
                with suppress(OSError):  # the client is gone
                    self.wfile.write(rest[:most_bytes])
                self.close_connection = most_bytes is not None

            def _send_head(self, status, fields):
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
