"""The three programs of a graph by hand: source, handlers, collector, each a process of its own."""

import os
import signal
import socket
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from tests.graph_nodes import (
    COLLECT_ELSEWHERE,
    ELSEWHERE,
    FRAMES,
    GRAY,
    OWN,
    SCENE,
    TRACK,
    finish,
    free_port,
    one_line,
    wait_until_told,
)
from tests.graph_witness import PATIENCE_S, until
from tests.lengths import variants

from sightline import open_source

EXAMPLE = Path(__file__).parents[3] / "examples" / "node"

KINDS = ["source", "handler", "collector"]
SOON_S = 5  # 2 s on a machine that has nothing else to do


@pytest.fixture(scope="module")
def inline(sightline, tmp_path_factory):
    """What a run in one process writes, by pipeline."""
    results = {}
    for name, pipeline in (("track", TRACK), ("gray", GRAY)):
        folder = tmp_path_factory.mktemp(name)
        (folder / "own.py").write_text(OWN)
        (folder / "p.yaml").write_text(pipeline.replace("own:Slow", "own:Slow: {pause_s: 0}"))
        done = sightline("run", "p.yaml", "--source", SCENE, "--quiet", cwd=folder)
        assert done.returncode == 0, done.stderr
        results[name] = {path.name: path.read_bytes() for path in folder.glob("*.txt")}
    return results


def results(nodes):
    return {path.name: path.read_bytes() for path in nodes.folder.glob("*.txt")}


@pytest.mark.parametrize("handlers", variants(3, 1))
def test_the_three_programs_give_what_one_process_gives(nodes, inline, handlers):
    collector, source = nodes.collector(), nodes.source(SCENE, "--wait-handlers", handlers)
    workers = [nodes.handler() for _ in range(handlers)]
    told = finish(source, collector, *workers)
    assert results(nodes) == inline["track"]
    assert f"{FRAMES} frames, 0 dropped, 0 failed" in told[1]
    assert "from capture to done" in told[0]
    assert "age of frame" in told[1]
    assert all("processing" in text and "waiting" in text for text in told[2:])


# Each is once before and once after each other one.
@pytest.mark.parametrize("order", variants(*[KINDS[n:] + KINDS[:n] for n in (2, 1, 0)]))
def test_the_programs_can_be_started_in_any_order(nodes, inline, order):
    started = []
    for kind in order:
        started.append(getattr(nodes, kind)())
        ready = {"source": "waiting for", "handler": "waiting for the", "collector": "collecting"}
        if kind != order[-1]:
            line = started[-1].stderr.readline()
            assert ready[kind] in line or "connected" in line
    finish(*started)
    assert results(nodes) == inline["track"]


def test_new_images_come_through_slots(nodes, inline):
    (nodes.folder / "p.yaml").write_text(GRAY)
    finish(nodes.source(), nodes.handler(), nodes.collector())
    assert results(nodes) == inline["gray"]


def test_a_handler_may_join_later(nodes, inline):
    (nodes.folder / "p.yaml").write_text(TRACK.replace("own:Slow", "own:Slow: {pause_s: 0.05}"))
    collector, source, first = nodes.collector(), nodes.source(), nodes.handler()
    until(lambda: nodes.written() > 5)
    second = nodes.handler()
    told = finish(source, collector, first, second)
    assert "joined; there are 2" in told[0]
    assert results(nodes) == inline["track"]


@pytest.mark.parametrize("number", [signal.SIGTERM, *variants(signal.SIGKILL, signal.SIGINT)])
def test_a_handler_may_leave_or_die_while_it_works(nodes, inline, number):
    collector, source = nodes.collector(), nodes.source(SCENE, "--wait-handlers", 2)
    stays, leaves = nodes.handler(), nodes.handler()
    until(lambda: nodes.written() > 10)
    leaves.send_signal(number)
    finish(source, collector, stays)
    leaves.wait(timeout=10)
    assert leaves.returncode == (-number if number == signal.SIGKILL else 130)
    assert results(nodes) == inline["track"]


def test_the_only_handler_may_be_replaced(nodes, inline):
    collector, source, first = nodes.collector(), nodes.source(), nodes.handler()
    until(lambda: nodes.written() > 10)
    first.kill()
    until(lambda: first.poll() is not None)
    finish(source, collector, nodes.handler())
    assert results(nodes) == inline["track"]


@pytest.mark.parametrize("pipeline", variants("track", "gray"))
def test_a_handler_elsewhere_gets_pixels(nodes, inline, pipeline):
    (nodes.folder / "p.yaml").write_text({"track": TRACK, "gray": GRAY}[pipeline])
    worker = nodes.script(ELSEWHERE, nodes.source_at, nodes.collector_at)
    finish(nodes.source(), nodes.collector(), worker)
    assert results(nodes) == inline[pipeline]


@pytest.mark.parametrize("pipeline", variants("gray", "track"))
def test_a_collector_elsewhere_gets_pixels(nodes, inline, pipeline):
    (nodes.folder / "p.yaml").write_text({"track": TRACK, "gray": GRAY}[pipeline])
    collector = nodes.script(COLLECT_ELSEWHERE, nodes.collector_at)
    far = nodes.script(ELSEWHERE, nodes.source_at, nodes.collector_at)
    finish(nodes.source(SCENE, "--wait-handlers", 2), collector, nodes.handler(), far)
    assert results(nodes) == inline[pipeline]


def test_a_handler_elsewhere_that_falls_silent_is_replaced(nodes, inline):
    collector, source = nodes.collector(), nodes.source(SCENE, "--wait-handlers", 2)
    silent = nodes.script(ELSEWHERE, nodes.source_at, nodes.collector_at)
    stays = nodes.handler()
    until(lambda: nodes.written() > 10)
    silent.send_signal(signal.SIGSTOP)
    finish(source, collector, stays)
    assert results(nodes) == inline["track"]


def test_a_silent_handler_that_comes_back_works_again(nodes, inline):
    (nodes.folder / "p.yaml").write_text(TRACK.replace("own:Slow", "own:Gate: {at: 20}"))
    collector, source = nodes.collector(), nodes.source()
    far = nodes.script(ELSEWHERE, nodes.source_at, nodes.collector_at)
    until(lambda: nodes.written() > 10)
    far.send_signal(signal.SIGSTOP)
    wait_until_told(source, "a handler left")
    (nodes.folder / "go").touch()
    far.send_signal(signal.SIGCONT)
    finish(source, collector, far)
    assert results(nodes) == inline["track"]


@pytest.mark.parametrize("is_far", variants(False, True))
def test_a_source_that_is_silent_for_long_gets_back_its_handlers_and_loses_nothing(
    nodes, inline, is_far
):
    collector, source = nodes.collector(), nodes.source()
    where = nodes.source_at, nodes.collector_at
    handler = nodes.script(ELSEWHERE, *where) if is_far else nodes.handler()
    until(lambda: nodes.written() > 10)
    source.send_signal(signal.SIGSTOP)
    wait_until_told(handler, "is silent; looking for it again")
    source.send_signal(signal.SIGCONT)
    finish(source, collector, handler)
    assert results(nodes) == inline["track"]


def test_a_source_that_is_started_anew_goes_on_in_a_new_epoch(nodes):
    collector, handler = nodes.collector(), nodes.handler()
    first = nodes.source()
    until(lambda: nodes.written() > 10)
    first.kill()
    first.wait()
    told = finish(nodes.source(), collector, handler)
    assert "its source was started anew" in told[1]
    lines = (nodes.folder / "pixels.txt").read_text().splitlines()
    seqs = [int(line.split()[0]) for line in lines]
    assert seqs == sorted(set(seqs))
    assert seqs[-1] >= 10 + FRAMES
    assert seqs[-FRAMES:] == list(range(seqs[-1] - FRAMES + 1, seqs[-1] + 1))
    assert (nodes.folder / "mot.txt").stat().st_size > 0


@pytest.mark.parametrize("killed", [False, True], ids=["ended", "killed"])
def test_a_source_whose_clock_is_behind_goes_on_after_the_one_before(nodes, killed):
    collector = nodes.run("collector", "p.yaml", "--bind", nodes.collector_at)
    handler, first = nodes.handler(end=False), nodes.source()
    if killed:
        until(lambda: nodes.written() > 10)
        first.kill()
        first.wait()
    else:
        finish(first)
    folders = [str(Path(__file__).parents[2] / "shifted_clock"), *sys.path]
    nodes.environment |= {"SHIFTED_CLOCK_S": "-3600", "PYTHONPATH": os.pathsep.join(folders)}
    (told,) = finish(nodes.source())
    assert "the clock of this machine is 3" in told
    handler.terminate()
    collector.terminate()
    _, told = collector.communicate(timeout=PATIENCE_S)
    if killed:
        assert "its source was started anew" in told
        assert nodes.written() >= 10 + FRAMES
    else:
        assert told.count(f"street-0: over; {FRAMES} frames, 0 dropped, 0 failed") == 2


def test_two_sources_share_handlers_and_a_collector(nodes, inline):
    other = f"tcp://127.0.0.1:{free_port()}"
    collector = nodes.collector("--output", "out", "--format", "mot", file=None)
    handler = nodes.handler("--connect", other)
    sources = [nodes.source(), nodes.run("source", SCENE, "--bind", other, "--name", "second")]
    finish(*sources, collector, handler)
    written = {path.parent.name for path in (nodes.folder / "out").glob("*/mot.txt")}
    assert written == {"street-0", "second"}


def test_frames_that_nobody_has_time_for_are_counted(nodes):
    (nodes.folder / "p.yaml").write_text(GRAY.replace("own:Slow", "own:Slow: {pause_s: 0.1}"))
    source = nodes.source(SCENE, "--rate", "60", "--mode", "auto", "--staleness", "0.2")
    collector, handler = nodes.collector(), nodes.handler()
    assert source.wait(60) == 0
    assert handler.wait(10) == 0
    _, told = collector.communicate(timeout=10)
    assert collector.returncode == 3, told
    (line,) = [line for line in told.splitlines() if "over;" in line]
    frames, dropped = (int(line.split()[n]) for n in (2, 4))
    assert frames + dropped == FRAMES
    assert dropped > 10
    assert nodes.written() == frames


def test_a_frame_that_kills_handlers_is_given_up(nodes):
    (nodes.folder / "p.yaml").write_text(
        "stages: [own:Poison, own:Slow]\nsinks: [{own:Pixels: {path: pixels.txt}}]"
    )
    collector, source = nodes.collector(), nodes.source()
    statuses = []
    while 0 not in statuses:  # a frame that was done just before may be suspected, too
        handler = nodes.handler()
        handler.communicate(timeout=PATIENCE_S)
        statuses.append(handler.returncode)
    assert 4 <= len(statuses) < 12
    source.communicate(timeout=PATIENCE_S)
    assert source.returncode == 0
    _, told = collector.communicate(timeout=10)
    assert collector.returncode == 3
    assert f"{FRAMES - 1} frames, 0 dropped, 1 failed" in told
    assert "given up after 3 attempts" in told


@pytest.mark.parametrize("number", variants(signal.SIGTERM, signal.SIGINT))
def test_a_signal_ends_every_node_at_once(nodes, number):
    (nodes.folder / "p.yaml").write_text(TRACK.replace("own:Slow", "own:Slow: {pause_s: 0.05}"))
    started = [nodes.source("scene:street?frames=5000"), nodes.handler(), nodes.collector()]
    until(lambda: nodes.written() > 10)
    begun = time.monotonic()
    for node in started:
        node.send_signal(number)
    for node in started:
        _, told = node.communicate(timeout=10)
        assert node.returncode == 130, told
        assert "Traceback" not in told
    assert time.monotonic() - begun < SOON_S
    assert (nodes.folder / "mot.txt").read_text().count("\n") >= 10


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_that_is_alone_ends_at_once(nodes, kind):
    node = getattr(nodes, kind)()
    node.stderr.readline()
    begun = time.monotonic()
    node.terminate()
    _, told = node.communicate(timeout=10)
    assert node.returncode == 130, told
    assert time.monotonic() - begun < SOON_S


def test_a_stopped_source_lets_the_others_finish(nodes):
    source, handler, collector = (
        nodes.source("scene:street?frames=5000"),
        nodes.handler(),
        nodes.collector(),
    )
    until(lambda: nodes.written() > 10)
    source.terminate()
    assert source.wait(10) == 130
    assert handler.wait(10) == 0
    assert collector.wait(10) == 3
    assert (nodes.folder / "mot.txt").exists()


def test_wrong_addresses_are_told_in_one_line(nodes):
    where = ["--to", nodes.collector_at]
    assert "tcp://HOST:PORT" in one_line(
        nodes.run("handler", "p.yaml", "--connect", "cam-1", *where)
    )
    assert "does not exist" in one_line(nodes.run("source", SCENE, "--bind", "tcp://*:99999"))
    assert "no-such.mp4" in one_line(nodes.run("source", "no-such.mp4"))


def test_a_port_in_use_is_told_in_one_line(nodes):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        assert "cannot listen" in one_line(nodes.run("source", SCENE, "--bind", address))
        assert "cannot listen" in one_line(nodes.run("collector", "--bind", address))


def test_source_and_collector_mixed_up_are_told_in_one_line(nodes):
    nodes.collector()
    where = ["--connect", nodes.collector_at, "--to", nodes.source_at]
    line = one_line(nodes.run("handler", "p.yaml", *where))
    assert "there is a collector, not a source" in line


def test_a_node_of_another_version_is_told_in_one_line(nodes):
    nodes.source()
    other = textwrap.dedent(
        """
        import sightline.transport.messages as messages
        messages._VERSION = bytes([messages.PROTOCOL_VERSION + 1])
        from sightline.cli import main
        main()
        """
    )
    where = ["--connect", nodes.source_at, "--to", nodes.collector_at]
    handler = nodes.script(other, "node", "handler", "p.yaml", *where)
    assert "version 2" in one_line(handler)


def test_a_pipeline_without_stages_for_handlers_is_refused(nodes):
    (nodes.folder / "p.yaml").write_text("stages: [track]")
    assert "nothing for handlers" in one_line(nodes.handler())


def test_the_example_runs(nodes):
    for path in EXAMPLE.iterdir():
        if path.is_file():
            (nodes.folder / path.name).write_bytes(path.read_bytes())
    where = ["--connect", nodes.source_at, "--to", nodes.collector_at]
    handler = nodes.run("handler", "gray.yaml", *where, "--until-end")
    collector = nodes.collector("--output", "out", "--format", "video", file=None)
    finish(nodes.source(), handler, collector)
    with closing(open_source(nodes.folder / "out" / "street-0" / "annotated.mp4")) as video:
        images = [frame.image for frame in video.frames()]
    assert len(images) == FRAMES
    assert all(int(np.ptp(image.astype(int), axis=2).max()) < 8 for image in images)  # no colours


def test_the_collector_shows_streams_in_a_browser(nodes):
    port = free_port()
    nodes.handler()
    nodes.collector("--web", port)
    source = nodes.source("scene:street?frames=5000")
    until(lambda: nodes.written() > 10)
    with urlopen(f"http://127.0.0.1:{port}/", timeout=10) as page:
        assert page.status == 200
    source.terminate()
    source.wait(10)
