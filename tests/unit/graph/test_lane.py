"""The lane of a stream: what it drops, and what does not stop it."""

import time

import pytest
from tests.graph_stages import RATE, ExitInOrder, ValuedInOrder, numbered
from tests.raising_sink import Raising

from sightline.errors import GraphError
from sightline.graph.lane import Lane, LaneOptions
from sightline.graph.plan import Step, StepKind
from sightline.graph.record import FrameRecord, Moments
from sightline.stream import StreamInfo
from sightline.testing.sink import ListSink
from sightline.transport.messages import FrameId, Pixels

BUDGET_S = 10.0
INFO = StreamInfo(name="a", width=64, height=48, time_base=1 / RATE, frame_rate=RATE)


def record(seq=0, *, age_s=0.0, busy_s=0.0):
    """Make a frame that its source delivered so long ago."""
    captured_ns = time.monotonic_ns() - round(age_s * 1e9)
    image = numbered(seq)
    return FrameRecord(
        FrameId("a", 0, seq, seq, (1, 30), captured_ns),
        b"feeder",
        Pixels(image.shape),
        Moments(captured_ns, busy_ns=round(busy_s * 1e9)),
        payload=image.data,
    )


class Rig:
    """A lane, and what it says."""

    def __init__(self, stages=(), *, sink=None, more_steps=(), staleness_s=None):
        self.sink = ListSink() if sink is None else sink
        self.done, self.ends = [], []
        first = Step(kind=StepKind.ORDERED, stages=tuple((s.name, s) for s in stages))
        options = LaneOptions(
            steps=[first, *more_steps],
            staleness_s=staleness_s,
            on_done=self.done.append,
            on_open=lambda: None,
            on_end=self.ends.append,
            wake=lambda: None,
        )
        self.lane = Lane(INFO, [self.sink], options)

    def finish(self, *records):
        """Let it take frames, and end."""
        for one in records:
            self.lane.put(one)
        self.lane.end(discard=False)
        assert self.lane.join(60)
        return self.done


@pytest.mark.parametrize("busy_s", [0.6 * BUDGET_S, 1.2 * BUDGET_S])
def test_a_frame_that_handlers_began_in_time_is_not_stale_however_long_they_took(busy_s):
    rig = Rig(staleness_s=BUDGET_S)
    began_late = record(0, age_s=0.5 * BUDGET_S + busy_s, busy_s=busy_s)
    waited = record(1, age_s=1.5 * BUDGET_S + busy_s, busy_s=busy_s)
    rig.finish(began_late, waited)
    assert began_late.dropped is None
    assert waited.dropped == ("collector", "stale")
    assert [frame.seq for frame in rig.sink.frames] == [0]


class ExitsWhenOpened(ValuedInOrder):
    def open(self):
        raise SystemExit(3)


def check_failed(rig, error="SystemExit was raised: 3"):
    (told,) = rig.ends
    assert isinstance(told, GraphError)
    assert str(told) == error
    assert told is rig.lane.error


@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt])
def test_a_sink_that_ends_its_thread_fails_its_stream_and_every_frame_comes_back(raised):
    rig = Rig(sink=Raising(1, raised(3)))
    frames = [record(seq) for seq in range(4)]
    assert rig.finish(*frames) == frames
    assert [frame.seq for frame in rig.sink.frames] == [0]
    assert [bool(frame.failure) for frame in frames] == [False, True, False, False]
    assert frames[1].failure.error == f"{raised.__name__}: 3"
    assert [frame.dropped for frame in frames[2:]] == [("sinks", "failed before")] * 2
    check_failed(rig, f"{raised.__name__} was raised: 3")


def test_a_stage_that_ends_its_thread_fails_its_stream_and_its_sinks_are_closed():
    closed = []
    sink = ListSink()
    sink.close = lambda: closed.append(True)
    rig = Rig([ExitInOrder(1)], sink=sink)
    frames = [record(seq) for seq in range(3)]
    assert rig.finish(*frames) == frames
    assert closed == [True]
    check_failed(rig)


@pytest.mark.parametrize("moment", ["open", "close"])
def test_a_sink_that_ends_its_thread_before_or_after_all_frames_fails_its_stream(moment):
    rig = Rig(sink=Raising(moment, SystemExit(3)))
    assert len(rig.finish(record())) == 1
    check_failed(rig)


def test_a_stage_that_ends_its_thread_when_it_is_opened_fails_its_stream():
    rig = Rig([ExitsWhenOpened()])
    assert len(rig.finish(record())) == 1
    check_failed(rig)


class Touchy(ValuedInOrder):
    """Chokes on certain values."""

    def apply_change(self, parameters):
        if parameters.get("value") == "broken":
            raise KeyError("no such thing")
        if parameters.get("value") == "exit":
            raise SystemExit(3)
        super().apply_change(parameters)


def test_a_change_that_a_stage_chokes_on_is_refused_and_the_stream_goes_on():
    rig = Rig([Touchy(7)])
    rig.lane.change("touchy", {"value": 8})
    rig.lane.change("touchy", {"value": "broken", "other": 1})
    rig.finish(record())
    assert [frame.data for frame in rig.sink.frames] == [{"value": 8, "other": 0}]
    assert rig.ends == [None]


def test_a_change_that_ends_the_thread_fails_the_stream():
    rig = Rig([Touchy(7)])
    rig.lane.change("touchy", {"value": "exit"})
    assert len(rig.finish(record())) == 1
    check_failed(rig)
