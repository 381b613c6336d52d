"""Choosing where a pipeline runs, by what its stages cost."""

import pickle
import threading
import time
from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest

from sightline import Pipeline, Scope, Stage, StreamInfo, StreamSpec
from sightline.errors import MediaError, PipelineError
from sightline.frame import Frame
from sightline.graph.choice import Cost, choose, choose_handlers
from sightline.pipeline.graph_options import GraphOptions
from sightline.pipeline.report import RunReport
from sightline.stream import Losses
from sightline.testing.sink import ListSink

SCENE = "scene:street?frames=20&width=320&height=240"


class Slow(Stage):
    """Sleeps: it takes its time however busy the machine is."""

    changes_image = False

    def __init__(self, pause_s=0.005):
        self.pause_s = pause_s

    def process(self, frame):
        time.sleep(self.pause_s)
        return frame


class Logged(Slow):
    """Notes what is done with it and its copies, and has when open what cannot be copied."""

    calls: ClassVar[list[str]] = []

    def open(self):
        self.calls.append("open")
        self.lock = threading.Lock()

    def process(self, frame):
        self.calls.append("process")
        with self.lock:
            return super().process(frame)

    def close(self):
        self.calls.append("close")


@pytest.fixture
def calls(monkeypatch):
    """What is done with stages of the class `Logged`."""
    monkeypatch.setattr(Logged, "calls", [])
    return Logged.calls


class Follow(Stage):
    scope = Scope.STREAM
    changes_image = False

    def process(self, frame):
        raise AssertionError("a stream stage is no part of the probe")


class Pass(Stage):
    scope = Scope.STREAM
    changes_image = False

    def process(self, frame):
        return frame


class Camera:
    """A live source of 25 frames per second that counts how often it is read."""

    def __init__(self):
        self.info = StreamInfo(
            name="camera",
            width=4,
            height=4,
            time_base=Fraction(1, 25),
            frame_rate=Fraction(25),
            live=True,
        )
        self.losses = Losses()

    def frames(self):
        for seq in range(1000):
            yield Frame(
                image=np.zeros((4, 4, 3), np.uint8),
                seq=seq,
                pts=seq,
                time_base=self.info.time_base,
                stream="camera",
            )

    def close(self):
        pass


def cost(milliseconds, *, busy=1.0, concurrency=1):
    return Cost(frame_s=milliseconds / 1000, busy=busy, concurrency=concurrency)


def decide(cost, *rates, cores=4, needs_graph=False):
    return choose(cost, rates, cores=cores, needs_graph=needs_graph).handlers


def test_a_stream_that_one_process_keeps_up_with_needs_no_handlers():
    assert decide(cost(20), 30.0) is None
    assert decide(cost(24), 30.0) == 1
    assert decide(cost(20), 30.0, needs_graph=True) == 1


def test_paced_streams_get_handlers_for_their_load_and_a_fifth_more():
    assert decide(cost(50), 30.0) == 2
    assert decide(cost(50), 30.0, 25.0, needs_graph=True) == 4


def test_more_processes_than_processors_are_no_use_to_stages_that_compute():
    assert decide(cost(100), 100.0, cores=4) == 4
    assert decide(cost(100, busy=2.0), 100.0, cores=4) == 2
    assert decide(cost(100, busy=0.01), 100.0, cores=4) == 12


def test_a_recording_at_full_speed_gets_a_handler_for_every_processor():
    assert decide(cost(20), None, cores=6) == 6
    assert decide(cost(20), None, 30.0, cores=6, needs_graph=True) == 6


def test_stages_that_use_all_processors_from_one_process_stay_there():
    assert decide(cost(20, concurrency=4), None, cores=4) is None
    assert decide(cost(20, concurrency=3), None, cores=4) == 4


def test_stages_that_cost_next_to_nothing_are_not_shared_out():
    assert decide(cost(0.5), None) is None
    assert decide(cost(0.5), None, None, needs_graph=True) == 1


def test_without_stages_to_share_out_there_is_nothing_to_choose():
    assert decide(None, None) is None
    assert decide(None, None, None, needs_graph=True) == 1


@pytest.mark.parametrize(
    ("cost", "rate"), [(cost(20), 30.0), (cost(500), 30.0), (cost(20), None), (cost(0.1), None)]
)
def test_the_reason_is_one_line_with_the_cost(cost, rate):
    reason = choose(cost, [rate], cores=4, needs_graph=False).reason
    assert f"{1000 * cost.frame_s:.1f} ms per frame" in reason
    assert "\n" not in reason


def test_a_few_frames_of_a_recording_are_measured_and_the_stages_closed_again(calls):
    choice = choose_handlers(Pipeline([Logged(), Follow()]), [SCENE])
    assert choice.handlers is None or choice.handlers >= 1
    assert calls == ["open", *["process"] * 12, "close"]


def test_a_stage_that_was_measured_can_still_be_sent_to_handlers(calls):
    stage = Logged()
    choose_handlers(Pipeline([stage]), [SCENE])
    assert "process" in calls
    assert isinstance(pickle.loads(pickle.dumps(stage)), Logged)


def test_a_stage_that_cannot_be_sent_to_handlers_is_measured_itself(calls):
    stage = Logged()
    stage.own = threading.Lock()
    choose_handlers(Pipeline([stage]), [SCENE])
    assert calls == ["open", *["process"] * 12, "close"]


def test_stages_that_are_open_stay_open(calls):
    with Pipeline([Logged()]) as pipeline:
        choose_handlers(pipeline, [SCENE])
        assert calls == ["open", *["process"] * 12]


def test_the_rate_of_a_live_source_decides():
    assert "25 frames/s" in choose_handlers(Pipeline([Slow()]), [Camera()]).reason
    assert choose_handlers(Pipeline([Slow(0.1)]), [Camera()]).handlers >= 3


def test_a_paced_recording_has_the_rate_that_is_asked_for():
    paced = StreamSpec(SCENE, rate=100)
    assert "100 frames/s" in choose_handlers(Pipeline([Slow()]), [paced]).reason
    native = StreamSpec(SCENE, rate="native")
    assert "25 frames/s" in choose_handlers(Pipeline([Slow()]), [native]).reason


def test_several_sources_or_more_than_their_place_ask_for_a_graph():
    pipeline = Pipeline([Pass()])
    assert choose_handlers(pipeline, [SCENE]).handlers is None
    assert choose_handlers(pipeline, [SCENE, SCENE]).handlers == 1
    assert choose_handlers(pipeline, [StreamSpec(SCENE, name="a")]).handlers == 1
    assert choose_handlers(pipeline, [SCENE], needs_graph=True).handlers == 1


def test_what_cannot_be_opened_is_said_and_not_chosen_for(tmp_path):
    with pytest.raises(MediaError):
        choose_handlers(Pipeline([Slow()]), [tmp_path / "none.mp4"])
    with pytest.raises(PipelineError, match="needed, but got none"):
        choose_handlers(Pipeline([Slow()]), [])


def test_a_source_that_cannot_travel_is_refused():
    camera = Camera()
    camera.cable = (n for n in ())
    with pytest.raises(PipelineError, match="Camera cannot be sent to another process"):
        choose_handlers(Pipeline([Slow()]), [camera])


def test_auto_runs_in_this_process_when_that_is_chosen():
    sink = ListSink()
    report = Pipeline([Pass()]).run(SCENE, [sink], handlers="auto", options=GraphOptions())
    assert isinstance(report, RunReport)
    assert report.frames == len(sink.frames) == 20
