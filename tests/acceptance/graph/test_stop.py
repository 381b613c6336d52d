"""Stopping, from whatever state: soon, with valid outputs, and nothing left behind."""

import json
import threading
import time

import pytest
from tests.graph_stages import (
    Box,
    Boxes,
    Count,
    Hoard,
    Mark,
    Measure,
    Numbered,
    OpensWhen,
    OpensWhenInOrder,
    Pause,
    Read,
    Renew,
    SlowToOpen,
    Stalling,
    Wait,
)
from tests.graph_witness import Notes, NotesSink, outcomes, until

import sightline as sl
from sightline.errors import GraphError
from sightline.pipeline.per_object import PerObject

FAR_TOO_LONG_S = 5  # it should be 2 s, but no test fails by timing alone


class SlowSink(NotesSink):
    def write(self, frame):
        time.sleep(0.3)
        super().write(frame)


class BlockedSink(NotesSink):
    """Blocks until it is let go."""

    def __init__(self):
        super().__init__()
        self.entered, self.go_on = threading.Event(), threading.Event()

    def write(self, frame):
        self.entered.set()
        self.go_on.wait(60)


class LingeringSink(NotesSink):
    """Takes until something has happened to be closed."""

    def __init__(self):
        super().__init__()
        self.linger = lambda: None

    def close(self):
        self.linger()
        super().close()


class Sinks:
    """Makes sinks as it was told for each stream."""

    def __init__(self, **sinks):
        self.sinks = sinks

    def for_stream(self, stream):
        return self.sinks[stream.name]


def stop(run):
    """Stop a graph; return its report after checking how long that took."""
    started = time.monotonic()
    run.close()
    elapsed_s = time.monotonic() - started
    print(f"stopped in {elapsed_s:.2f} s")  # noqa: T201
    assert elapsed_s < FAR_TOO_LONG_S
    assert run.report.stopped
    assert not run.report.complete
    for stream in run.report.streams.values():
        assert stream.admitted == outcomes(stream)
    return run.report


def check_file(path, report, name="a"):
    """Check that a file of JSON lines is whole."""
    if path.exists():
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert [line["seq"] for line in lines] == list(range(len(lines)))
        assert len(lines) == report.streams[name].run.frames
    assert not list(path.parent.glob("*.part"))


def is_full(run, stream="a"):
    """Return a condition: as many frames are under way as may be."""

    def condition():
        stats = run.stats()
        return stats["under_way"].get(stream) == stats["window"].get(stream, 0)

    return condition


def test_right_after_the_start(graphs):
    stop(graphs.start([Read()], [Numbered("a", 10_000)], [Notes()]))


@pytest.mark.parametrize("stage", [OpensWhen, OpensWhenInOrder])
def test_while_a_model_loads(graphs, tmp_path, stage):
    never = tmp_path / "never"
    run = graphs.start([stage(never)], [Numbered("a")], [sl.JsonlFile(tmp_path / "a.jsonl")])
    until(lambda: "a" in run.stats()["streams"])
    stop(run)
    assert list(tmp_path.iterdir()) == []
    never.touch()  # a thread waits for it


def test_while_a_source_opens(graphs, tmp_path):
    run = graphs.start(
        [Read()], [SlowToOpen(tmp_path / "never", name="b"), Numbered("a")], [Notes()]
    )
    until(lambda: "a" in run.stats()["streams"])
    stop(run)


def test_at_full_speed(graphs, tmp_path):
    file = tmp_path / "a.jsonl"
    run = graphs.start(
        [Renew(), Read(), Count()], [Numbered("a", 10**6)], [sl.JsonlFile(file)], handlers=2
    )
    until(lambda: run.report.frames >= 200)
    check_file(file, stop(run))
    assert file.exists()


def test_with_every_queue_full_and_handlers_that_hang(graphs, tmp_path):
    notes = Notes()
    sources = [Numbered(name, 10**6) for name in ("a", "b")]
    run = graphs.start([Wait(tmp_path / "never")], sources, [notes], handlers=2)
    until(is_full(run, "a"))
    until(is_full(run, "b"))
    report = stop(run)
    assert report.frames == 0
    assert all(sum(s.run.dropped.values()) == s.admitted for s in report.streams.values())


def test_with_every_queue_full_and_a_slow_sink(graphs):
    sink = SlowSink()
    run = graphs.start([Read()], [Numbered("a", 10**6)], [sink], handlers=4)
    until(is_full(run))
    until(lambda: sink.lines)
    report = stop(run)
    assert sink.closed == 1
    assert [seq for seq, _, _ in sink.lines] == list(range(report.streams["a"].run.frames))


def test_with_every_queue_full_and_a_slow_stage_in_order(graphs, tmp_path):
    file = tmp_path / "a.jsonl"
    run = graphs.start(
        [Read(), Count(), Pause(0.2, exact=True)], [Numbered("a", 10**6)], [sl.JsonlFile(file)]
    )
    until(is_full(run))
    until(lambda: run.report.frames >= 1)
    check_file(file, stop(run))
    assert file.exists()


def test_with_objects_of_frames_at_handlers(graphs, tmp_path):
    file = tmp_path / "a.jsonl"
    run = graphs.start(
        [Boxes(), PerObject(Measure(pause_s=0.01)), Count(), PerObject(Read())],
        [Numbered("a", 10**6)],
        [sl.JsonlFile(file)],
        handlers=3,
    )
    until(lambda: run.report.frames >= 20)
    check_file(file, stop(run))
    assert file.exists()


def test_with_an_object_to_be_given_out_of_a_stream_that_is_closed_before_another(
    graphs, tmp_path, monkeypatch
):
    monkeypatch.setattr("sightline.graph.hub._FINISH_S", 0.1)
    monkeypatch.setattr("sightline.graph.hub._CLOSE_S", 60)
    go_on, done = tmp_path / "go on", tmp_path / "done"
    sinks = Sinks(a=NotesSink(), b=LingeringSink())
    stages = [Box(), Wait(go_on), Mark(done), PerObject(Read())]
    run = graphs.start(stages, [Numbered("a", 10**6)], [sinks], handlers=1, stay=True)

    def linger():
        until(lambda: "a" not in run.stats()["under_way"])
        go_on.touch()
        until(done.exists)
        for _ in range(20):  # the hub gets the result of the handler meanwhile
            run.stats()

    sinks.sinks["b"].linger = linger
    until(lambda: run.stats()["under_way"].get("a"))
    run.add(Numbered("b", 10**6))
    until(lambda: sinks.sinks["b"].is_open)
    report = stop(run)
    assert report.frames == 0
    assert report.streams["a"].admitted > 0
    assert sinks.sinks["b"].closed == 1


def test_with_a_source_that_is_stuck(graphs, tmp_path):
    notes = Notes()
    run = graphs.start([Read()], [Stalling(20, tmp_path / "never", name="a")], [notes])
    until(lambda: len(notes.seqs("a")) == 20 if notes.streams else False)
    stop(run)
    assert notes.streams["a"].closed == 1


def test_with_a_stage_that_keeps_images(graphs):
    run = graphs.start([Renew(), Hoard(), Hoard(20)], [Numbered("a", 10**6)], [Notes()])
    until(lambda: run.report.frames >= 100)
    stop(run)


def test_with_a_sink_that_never_returns(graphs):
    sink = BlockedSink()
    run = graphs.start([Read()], [Numbered("a", 10**6)], [sink])
    assert sink.entered.wait(60)
    with pytest.raises(GraphError, match="a sink of stream 'a' takes too long"):
        stop(run)
    sink.go_on.set()


class BlockedInOrder(sl.Stage):
    scope = sl.Scope.STREAM
    entered, go_on = threading.Event(), threading.Event()

    def process(self, frame):
        self.entered.set()
        self.go_on.wait(60)
        return frame


def test_with_a_stage_in_order_that_never_returns(graphs):
    run = graphs.start([Read(), BlockedInOrder()], [Numbered("a", 10**6)], [Notes()])
    assert BlockedInOrder.entered.wait(60)
    with pytest.raises(GraphError, match="a stage in order of stream 'a' takes too long"):
        stop(run)
    BlockedInOrder.go_on.set()


def test_twice_and_after_the_end(graphs):
    run = graphs.start([Read()], [Numbered("a", 20)], [Notes()])
    assert run.wait(60)
    run.close()
    run.close()
    assert run.report.complete, run.report.as_dict()
    assert run.stats()["frames"] == 20
    for call in (lambda: run.remove("a"), lambda: run.add(Numbered("b"))):
        with pytest.raises(GraphError, match="the graph is over"):
            call()


def test_by_an_error_in_the_middle_of_the_with_block(graphs):
    run = graphs.start([Read()], [Numbered("a", 10**6)], [Notes()])
    until(lambda: run.report.frames >= 50)
    with pytest.raises(ZeroDivisionError), run:
        _ = 1 / 0
    assert run.report.stopped
