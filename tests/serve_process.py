"""`sightline serve` as a process, as an operator starts it; and a web site that it fetches from."""

import os
import re
import select
import signal
import subprocess
import sys
import threading
from contextlib import nullcontext, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["PATIENCE_S", "ServeProcess", "VideoSite"]

PATIENCE_S = 120
"""Starting processes takes time on a busy machine."""
_STARTED = re.compile(
    r"Sightline serves (http://\S+) with (?:(?:\d+ to )?\d+ workers?|the workers at \S+); "
    r"data in (.+)\.\n"
)


class ServeProcess:
    """A service on a data folder, with the demo detector.

    Args:
        folder: The data folder.
        options: More of the command line.
        log: File for what it writes to standard error; None: `kill` and `end` return it.

    Attributes:
        url: Where it is; stays the same when it is started again.
    """

    def __init__(self, folder, *options, log=None):
        self.folder = folder
        self._log = log
        self.url = None
        self._options = [*options, "--data", str(folder)]
        if "--detector" not in options:
            self._options += ["--detector", "demo"]
        self._process = None
        self.start()

    @property
    def pid(self):
        return self._process.pid

    def start(self):
        """Start it, and wait until it answers."""
        self.launch()
        self.wait_until_ready()

    def launch(self):
        """Start it."""
        port = "0" if self.url is None else self.url.rpartition(":")[2]
        with nullcontext(subprocess.PIPE) if self._log is None else self._log.open("a") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sightline", "serve", "--port", port, *self._options],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "PYTHONWARNINGS": "error"},
                start_new_session=True,
            )

    def wait_until_ready(self):
        """Wait until it answers, after `launch`."""
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE_S)
        line = self._process.stdout.readline() if ready else "nothing"
        match = _STARTED.fullmatch(line)
        if match is None:
            raise AssertionError(f"it said {line!r}, and {self.kill()!r}")
        self.url = match[1]

    def end(self, number=signal.SIGTERM):
        """Send a signal; return the exit status and what it said after its first line.

        SIGINT goes to all of its processes, as it does when somebody types Ctrl-C.
        """
        if number == signal.SIGINT:
            os.killpg(self._process.pid, number)
        else:
            self._process.send_signal(number)
        said, errors = self._process.communicate(timeout=PATIENCE_S)
        return self._process.returncode, said + (errors or "")

    def kill(self):
        """Kill it and everything that it started, at once; return what it had said."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return "".join(filter(None, self._process.communicate(timeout=PATIENCE_S)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            if self._process.returncode is None:
                self.end()
        finally:
            if self._process.returncode is None:
                self.kill()


class VideoSite:
    """Serves one video: at once at /street.mp4, the end of it when told to at /held.mp4.

    Args:
        video: Its file.

    Attributes:
        at: What `--allow-network` takes.
    """

    def __init__(self, video):
        content = video.read_bytes()
        self._released = threading.Event()
        released = self._released

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path not in ("/street.mp4", "/held.mp4"):
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                with suppress(OSError):  # whoever fetched it is gone
                    self.wfile.write(content[:1000])
                    self.wfile.flush()
                    if self.path == "/held.mp4":
                        released.wait(PATIENCE_S)
                    self.wfile.write(content[1000:])

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.at = f"127.0.0.1:{self._server.server_address[1]}"

    def url(self, path="street.mp4"):
        return f"http://{self.at}/{path}"

    def release(self):
        """Let go of what is held, once and for all."""
        self._released.set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
