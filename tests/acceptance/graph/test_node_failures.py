"""What goes wrong with one stream of nodes started by hand leaves the others alone."""

import re
import socket

import pytest
from tests.graph_nodes import (
    ELSEWHERE,
    FRAMES,
    SCENE,
    TRACK,
    Cable,
    finish,
    free_port,
    one_line,
    wait_until_told,
)
from tests.graph_witness import PATIENCE_S, until
from tests.lengths import long_only, variants

GATED = TRACK.replace("own:Slow", "own:Gate: {at: 20}")

FAILING = '''
from sightline.errors import OutputError

class Failing:
    """Fails for the streams of one name when one of its methods is called."""

    def __init__(self, name, method):
        self.name, self.method, self.stream = name, method, None

    def for_stream(self, stream):
        made = Failing(self.name, self.method)
        made.stream = stream.name
        return made

    def fail(self, method):
        if (self.stream, self.method) == (self.name, method):
            raise OutputError("the disk is full")

    def open(self, stream):
        self.fail("open")

    def write(self, frame):
        self.fail("write")

    def close(self):
        self.fail("close")

    def discard(self):
        self.close()
'''


FAST = """
import sys, threading, time
from pathlib import Path
import numpy as np
from sightline.graph.node_source import SourceNode, SourceNodeOptions
from sightline.pipeline.stream_spec import StreamSpec
from sightline.testing.source import ListSource

def tell(line):
    print(line, file=sys.stderr, flush=True)

class Images(list):
    def __iter__(self):
        for number, image in enumerate(super().__iter__()):
            while number > 500 and not Path("go").exists():
                time.sleep(0.01)
            if number == 3000:
                tell("3000 were read")
            yield image

images = Images([np.zeros((8, 8, 3), np.uint8)] * int(sys.argv[2]))
spec = StreamSpec(ListSource(images), rate=500, mode="freshest")
SourceNode(spec, SourceNodeOptions(bind=sys.argv[1]), tell=tell).run(threading.Event())
"""


class Second:
    """A second source, with a handler of its own."""

    def __init__(self, nodes):
        address = f"tcp://127.0.0.1:{free_port()}"
        self.source = nodes.run("source", SCENE, "--bind", address, "--name", "b")
        where = ["--connect", address, "--to", nodes.collector_at]
        self.handler = nodes.run("handler", "p.yaml", *where, "--until-end")


def told_by(collector, *, status=3):
    _, told = collector.communicate(timeout=PATIENCE_S)
    assert collector.returncode == status, told
    assert "Traceback" not in told
    return told


def test_a_stream_whose_sinks_cannot_be_made_leaves_the_others_complete(nodes):
    (nodes.folder / "p.yaml").write_text(GATED)
    collector, source, handler = nodes.collector(), nodes.source(), nodes.handler()
    until(lambda: nodes.written() > 10)
    second = Second(nodes)
    wait_until_told(collector, "Error: b: there are 2 streams, but MotFile writes one file")
    (nodes.folder / "go").touch()
    finish(source, handler, second.source, second.handler)
    told = told_by(collector)
    assert f"street-0: over; {FRAMES} frames, 0 dropped, 0 failed" in told
    assert f"b: over; 0 frames, {FRAMES} dropped, 0 failed" in told
    assert nodes.written() == FRAMES


@pytest.mark.parametrize("method", variants("write", "open", "close"))
def test_a_sink_that_fails_ends_no_stream_but_its_own(nodes, method):
    (nodes.folder / "failing.py").write_text(FAILING)
    (nodes.folder / "p.yaml").write_text(
        "stages: [own:Slow]\n"
        f"sinks: [{{failing:Failing: {{name: b, method: {method}}}}}, mot: {{path: '{{stream}}'}}]"
    )
    collector, source, handler = nodes.collector(), nodes.source(), nodes.handler()
    second = Second(nodes)
    finish(source, handler, second.source, second.handler)
    told = told_by(collector)
    assert told.count("Error: b: the disk is full") == 1
    assert f"street-0: over; {FRAMES} frames, 0 dropped, 0 failed" in told
    assert "b: over" in told
    assert (nodes.folder / "street-0").exists()


@long_only
def test_errors_of_sinks_are_shown_even_if_the_collector_is_quiet(nodes):
    (nodes.folder / "mot.txt").mkdir()
    collector, source, handler = nodes.collector("--quiet"), nodes.source(), nodes.handler()
    finish(source, handler)
    (line,) = told_by(collector).splitlines()
    assert line.startswith("Error: street-0: cannot write mot.txt: Is a directory")


@long_only
def test_a_source_may_come_again_after_its_end(nodes):
    collector = nodes.run("collector", "p.yaml", "--bind", nodes.collector_at)
    handler = nodes.handler(end=False)
    for _ in range(2):
        finish(nodes.source())
        assert nodes.written() == FRAMES
    handler.terminate()
    collector.terminate()
    told = told_by(collector, status=130)
    assert told.count(f"street-0: over; {FRAMES} frames, 0 dropped, 0 failed") == 2


def test_what_a_live_source_reads_while_no_handler_is_there_is_accounted_for(nodes):
    frames = 5000
    source, collector = nodes.script(FAST, nodes.source_at, str(frames)), nodes.collector()
    first = nodes.handler()
    until(lambda: nodes.written() > 5)
    first.kill()
    wait_until_told(source, "a handler left")
    (nodes.folder / "go").touch()
    wait_until_told(source, "3000 were read")
    handler = nodes.handler()
    told, _ = finish(source, handler)
    left_out = sum(map(int, re.findall(r"(\d+) frames were left out", told)))
    over = re.search(r"over; (\d+) frames, (\d+) dropped, 0 failed", told_by(collector))
    assert sum(map(int, over.groups())) + left_out == frames
    assert left_out > 1000


@long_only
def test_a_source_that_vanished_without_a_word_is_found_again(nodes):
    with Cable(int(nodes.source_at.rpartition(":")[2])) as cable:
        collector, first = nodes.collector(), nodes.source()
        far = nodes.script(ELSEWHERE, f"tcp://127.0.0.1:{cable.port}", nodes.collector_at)
        until(lambda: nodes.written() > 10)
        cable.is_cut = True
        first.kill()
        first.wait()
        wait_until_told(far, "is silent; looking for it again")
        cable.is_cut = False
        told = finish(nodes.source(), collector, far)
    assert "its source was started anew" in told[1]
    assert "connected to the source" in told[2]


def test_a_page_or_window_that_cannot_be_had_is_told_before_there_is_a_stream(nodes):
    nodes.environment.pop("DISPLAY", None)
    assert "cannot open a window" in one_line(nodes.collector("--window"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "in use" in one_line(nodes.collector("--web", taken.getsockname()[1]))
