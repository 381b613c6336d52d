"""`sightline worker` as a process, as an operator starts it."""

import os
import re
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.graph_witness import children_of

__all__ = ["PATIENCE_S", "WorkerProcess"]

PATIENCE_S = 120
_STARTED = re.compile(r"Sightline works on .*?(?:; health on port (\d+))?\.\n")


class WorkerProcess:
    """A worker of a job service, with the demo detector.

    Args:
        service: A `JobService`, or whatever has its `root` and `url`.
        broker: URL of the broker.
        options: More of the command line.
        environment: More of the environment.
        program: What is run: `sightline worker`, or what stands for it.

    Attributes:
        health: Where it tells how it is.
    """

    def __init__(self, service, broker, *options, environment=None, program="sightline worker"):
        self.health = None
        self._program = program.split()
        self._environment = environment or {}
        self._options = ["--data", str(service.root), "--database", service.url, *options]
        self._options += ["--broker", broker, "--detector", "demo", "--health", "0"]
        self._process = None
        self._output = Path(service.root, f"worker-{id(self)}.txt")
        self.start()

    @property
    def pid(self):
        return self._process.pid

    @property
    def processes(self):
        """The processes of its pool."""
        return children_of(self._process.pid)

    def start(self):
        """Start it, and wait until it takes tasks."""
        self.launch()
        self.wait_until_ready()

    def launch(self):
        root = str(Path(__file__).parents[1])
        with self._output.open("a") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._program, *self._options],
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join([root, *sys.path]),
                    **self._environment,
                },
                start_new_session=True,
            )

    def wait_until_ready(self):
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE_S)
        line = self._process.stdout.readline() if ready else "nothing"
        match = _STARTED.fullmatch(line)
        if match is None:
            self.kill()
            raise AssertionError(f"it said {line!r}, and {self.said()!r}")
        self.health = f"http://127.0.0.1:{match[1]}"

    def said(self):
        """Give what it has written to standard error."""
        return self._output.read_text()

    def signal(self, number=signal.SIGTERM):
        self._process.send_signal(number)

    def freeze(self):
        """Have all of its processes stand still until `thaw`."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self):
        os.killpg(self.pid, signal.SIGCONT)

    @property
    def is_running(self):
        return self._process.poll() is None

    def wait(self):
        """Wait for its end; return the exit status."""
        with self._process:
            return self._process.wait(PATIENCE_S)

    def end(self):
        """End it as an operator does; return the exit status."""
        self.signal()
        return self.wait()

    def kill(self):
        """Kill it and everything that it started, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
