"""Nodes started by hand, each a process of its own, and the stages and sinks that they use."""

import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import suppress

import pytest
from tests.graph_witness import PATIENCE_S
from tests.tcp_gateway import TcpGateway

_BLOCK = 65536

FRAMES = 60
SCENE = f"scene:street?frames={FRAMES}"

OWN = '''
import time
from pathlib import Path
import cv2
from sightline import Stage

class Gray(Stage):
    def process(self, frame):
        return frame.replace(image=cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY))

class Slow(Stage):
    """Takes its time, and longer for some frames, so that they overtake each other."""
    changes_image = False

    def __init__(self, pause_s=0.02):
        self.pause_s = pause_s

    def process(self, frame):
        time.sleep(self.pause_s * (1 + frame.seq % 3))
        return frame

class Gate(Stage):
    """Lets no frame from this one on through before there is a file `go`."""
    changes_image = False

    def __init__(self, at):
        self.at = at

    def process(self, frame):
        while frame.seq >= self.at and not Path("go").exists():
            time.sleep(0.01)
        return frame

class Poison(Stage):
    changes_image = False

    def process(self, frame):
        if frame.seq == 20:
            raise SystemExit(3)
        return frame

class Pixels:
    """Writes number, shape and sum of every image, in the order in which they come."""

    def __init__(self, path):
        self.path = Path(path)

    def open(self, stream):
        self.file = self.path.open("w")

    def write(self, frame):
        print(frame.seq, frame.image.shape, int(frame.image.sum()), file=self.file, flush=True)

    def close(self):
        self.file.close()

    def discard(self):
        self.close()
'''

TRACK = """
stages:
- own:Slow
- detect: {detector: demo}
- track
sinks:
- mot: {path: mot.txt}
- own:Pixels: {path: pixels.txt}
"""
GRAY = """
stages:
- own:Slow
- own:Gray
sinks:
- own:Pixels: {path: pixels.txt}
"""

ELSEWHERE = """
import sys, threading
from pathlib import Path
from sightline.graph.node_handler import HandlerNode, HandlerNodeOptions
from sightline.graph.plan import make_plan
from sightline.pipeline.definition import load_definition

sys.path.insert(0, ".")
steps = make_plan(load_definition(Path("p.yaml")).pipeline.named_stages, spread=False)
options = HandlerNodeOptions(
    sources=[sys.argv[1]], collector=sys.argv[2], until_end=True, host="another machine"
)

def tell(line):
    print(line, file=sys.stderr, flush=True)

HandlerNode(steps, options, tell=tell).run(threading.Event())
"""

COLLECT_ELSEWHERE = """
import sys, threading
from pathlib import Path
from sightline.graph.node_collector import CollectorNode, CollectorNodeOptions
from sightline.graph.plan import make_plan
from sightline.pipeline.definition import load_definition

sys.path.insert(0, ".")
definition = load_definition(Path("p.yaml"))
steps = make_plan(definition.pipeline.named_stages, spread=False)
options = CollectorNodeOptions(
    bind=sys.argv[1], make_sinks=lambda _: definition.sinks, until_end=True, host="another machine"
)
CollectorNode(steps, options, tell=print).run(threading.Event())
"""


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Cable(TcpGateway):
    """Can be cut: both ends hear nothing any more, and nobody ends their connections."""

    is_cut = False

    def _pass(self, client):
        with client, suppress(OSError):
            if not self.is_cut:
                with socket.create_connection(self._behind) as server:
                    self._connect(client, server)
            while client.recv(_BLOCK):  # swallowed
                pass

    def _connect(self, client, server):
        other = {client: server, server: client}
        while not self.is_cut:
            for readable in select.select([client, server], [], [], 0.05)[0]:
                data = readable.recv(_BLOCK)
                if not data:
                    client.shutdown(socket.SHUT_RDWR)
                    return
                other[readable].sendall(data)


class Nodes:
    """Starts nodes in a folder that has a pipeline file `p.yaml` and `own.py`."""

    def __init__(self, folder, runs):
        self.folder = folder
        self.environment = {
            **os.environ,
            "PYTHONWARNINGS": "error",
            "SIGHTLINE_RUNTIME_DIR": str(runs),
        }
        self.source_at, self.collector_at = (f"tcp://127.0.0.1:{free_port()}" for _ in range(2))
        self.started = []

    def run(self, *arguments):
        return self.start("-m", "sightline", "node", *map(str, arguments))

    def script(self, text, *arguments):
        return self.start("-c", text, *arguments)

    def start(self, *arguments):
        node = subprocess.Popen(
            [sys.executable, *arguments], cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.started.append(node)
        return node

    def source(self, video=SCENE, *more):
        return self.run("source", video, "--bind", self.source_at, *more)

    def handler(self, *more, end=True):
        ends = ["--until-end"] if end else []
        where = ["--connect", self.source_at, "--to", self.collector_at]
        return self.run("handler", "p.yaml", *where, *ends, *more)

    def collector(self, *more, file="p.yaml"):
        return self.run(
            "collector",
            *([file] if file else []),
            "--bind",
            self.collector_at,
            "--until-end",
            *more,
        )

    def written(self):
        """Count the frames that have come to the sink."""
        path = self.folder / "pixels.txt"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def end(self):
        for node in self.started:
            node.send_signal(signal.SIGCONT)
            node.terminate()
        for node in self.started:
            node.communicate(timeout=PATIENCE_S)


@pytest.fixture
def nodes(tmp_path, tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs") / "here"
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "p.yaml").write_text(TRACK)
    nodes = Nodes(tmp_path, runs)
    try:
        yield nodes
    finally:
        nodes.end()
    assert not runs.exists() or list(runs.iterdir()) == []  # so its segments are gone, too


def finish(*processes, timeout_s=PATIENCE_S):
    """Wait for processes to end well; return what they told."""
    told = []
    for process in processes:
        _, text = process.communicate(timeout=timeout_s)
        assert process.returncode == 0, text
        told.append(text)
    return told


def wait_until_told(process, text):
    """Wait until a process tells something; fail if it ends before."""
    told = []
    for line in iter(process.stderr.readline, ""):
        told.append(line)
        if text in line:
            return
    raise AssertionError(f"it ended without {text!r}: {told}")


def one_line(node, *, status=2):
    _, told = node.communicate(timeout=30)
    assert node.returncode == status, told
    assert "Traceback" not in told
    (line,) = [line for line in told.splitlines() if line.startswith("Error: ")]
    return line
