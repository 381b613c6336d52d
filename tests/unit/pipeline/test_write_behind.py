"""Writing behind: errors of sinks, in whatever form they come, and what is left of outputs."""

import signal
import threading
import time

import numpy as np
import pytest
from tests.raising_sink import Raising

import sightline as sl
from sightline.errors import OutputError, StageError
from sightline.pipeline import write_behind
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.report import StepTimes
from sightline.pipeline.stage import Stage
from sightline.pipeline.write_behind import WriteBehind
from sightline.testing.sink import ListSink
from sightline.testing.source import ListSource

IMAGES = [np.zeros((8, 12, 3), np.uint8)] * 100


class Mute(BaseException):
    """Has no text."""

    def __str__(self):
        raise SystemExit(5)


class Passing(Stage):
    def process(self, frame):
        return frame


class FailOn(Stage):
    def __init__(self, seq):
        self.seq = seq

    def process(self, frame):
        if frame.seq == self.seq:
            raise ValueError("no luck")
        return frame


def run(folder, sink, stage=None):
    """Run with a sink between two files."""
    files = [sl.JsonlFile(folder / f"{{stream}}-{name}.jsonl") for name in "ab"]
    Pipeline([stage or Passing()]).run(ListSource(IMAGES), [files[0], sink, files[1]])


def until(condition):
    """Wait for something."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def left(folder):
    """Count the lines of each file; nothing of the run may be left besides these."""
    assert not [t.name for t in threading.enumerate() if t.name.startswith("sightline")]
    return {path.name: len(path.read_text().splitlines()) for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (SystemExit(0), "SystemExit was raised by sink:Raising: 0"),
        (KeyboardInterrupt(), "KeyboardInterrupt was raised by sink:Raising: "),
        (GeneratorExit("gone"), "GeneratorExit was raised by sink:Raising: gone"),
        (Mute(), "Mute was raised by sink:Raising: its text cannot be had"),
    ],
    ids=["exit", "interrupt", "generator", "mute"],
)
def test_a_sink_that_ends_the_thread_of_the_writer_ends_the_run_as_an_error_does(
    tmp_path, raised, told
):
    with pytest.raises(OutputError) as info:
        run(tmp_path, Raising(10, raised))
    assert str(info.value) == told
    assert info.value.__cause__ is raised
    assert left(tmp_path) == {"list-a.jsonl": 11, "list-b.jsonl": 10}


@pytest.mark.parametrize("raised", [ValueError("no"), SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_a_sink_that_raises_when_it_is_closed_keeps_no_other_from_being_completed(tmp_path, raised):
    with pytest.raises(type(raised)) as info:
        run(tmp_path, Raising("close", raised))
    assert info.value is raised
    assert left(tmp_path) == {"list-a.jsonl": 100, "list-b.jsonl": 100}


@pytest.mark.parametrize("raised", [ValueError("no"), SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_a_sink_that_raises_when_it_is_opened_leaves_nothing_of_the_others(tmp_path, raised):
    with pytest.raises(type(raised)) as info:
        run(tmp_path, Raising("open", raised))
    assert info.value is raised
    assert left(tmp_path) == {}


def test_an_error_when_sinks_are_closed_does_not_hide_the_one_before(tmp_path, caplog):
    with pytest.raises(StageError, match="no luck"):
        run(tmp_path, Raising("close", ValueError("jammed")), FailOn(5))
    assert left(tmp_path) == {"list-a.jsonl": 5, "list-b.jsonl": 5}
    assert "ValueError: jammed" in caplog.text


def test_an_interrupt_when_sinks_are_closed_goes_before_errors(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Raising("close", KeyboardInterrupt()), FailOn(5))
    assert left(tmp_path) == {"list-a.jsonl": 5, "list-b.jsonl": 5}


@pytest.mark.parametrize("raised", [ValueError("jammed"), SystemExit(3)], ids=repr)
def test_a_sink_that_cannot_be_discarded_keeps_nothing_of_the_others(tmp_path, raised):
    expected = StageError if isinstance(raised, Exception) else SystemExit
    with pytest.raises(expected):
        run(tmp_path, Raising("discard", raised), FailOn(0))
    assert left(tmp_path) == {}


def test_a_sink_that_cannot_be_discarded_does_not_hide_why_another_could_not_be_opened(tmp_path):
    jammed = Raising("discard", ValueError("jammed"))
    locked = Raising("open", OutputError("no permission"))
    output = sl.JsonlFile(tmp_path / "{stream}.jsonl")
    with pytest.raises(OutputError, match="no permission"):
        Pipeline([Passing()]).run(ListSource(IMAGES), [output, jammed, locked])
    assert left(tmp_path) == {}


def interrupt():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def put_all(writer, source):
    with writer:
        for frame in source.frames():
            writer.put(frame)


class Interrupting(ListSink):
    """Interrupts whoever waits for the writer, at frame 2, and goes on when that was noticed."""

    def write(self, frame):
        super().write(frame)
        if frame.seq == 2:
            until(lambda: self.writer._queue.qsize() == 3)  # two frames, and that no more will come
            interrupt()
            until(lambda: self.writer._is_given_up)


def test_an_interrupt_while_the_rest_is_written_completes_outputs_for_what_was(tmp_path):
    source, sink = ListSource(IMAGES[:5]), Interrupting()
    output = sl.JsonlFile(tmp_path / "a.jsonl")
    sink.writer = WriteBehind([sink, output], source.info, window=9, times=StepTimes())
    with pytest.raises(KeyboardInterrupt):
        put_all(sink.writer, source)
    assert [frame.seq for frame in sink.frames] == [0, 1, 2]
    assert not sink.is_open
    assert left(tmp_path) == {"a.jsonl": 3}


class Stuck(ListSink):
    """Does not come back from frame 2 until it is told to, and interrupts who waits for that."""

    def __init__(self):
        super().__init__()
        self.told = threading.Event()

    def write(self, frame):
        super().write(frame)
        if frame.seq == 2:
            until(lambda: self.writer._queue.qsize() == 1)  # that no more will come
            interrupt()
            self.told.wait(60)


def test_an_interrupt_waits_only_so_long_for_a_sink_that_is_stuck_and_leaves_it_alone(monkeypatch):
    monkeypatch.setattr(write_behind, "_PATIENCE_S", 0.1)
    source, sink = ListSource(IMAGES[:3]), Stuck()
    sink.writer = writer = WriteBehind([sink], source.info, window=9, times=StepTimes())
    with pytest.raises(KeyboardInterrupt):
        put_all(writer, source)
    assert sink.is_open  # its thread is in there
    sink.told.set()
    writer._thread.join(60)
    assert not writer._thread.is_alive()
