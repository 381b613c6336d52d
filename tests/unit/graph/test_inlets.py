"""When sources are opened anew after their ends and deaths, with processes that are played."""

import logging

import pytest
from tests.graph_stages import Numbered

from sightline.errors import MediaError
from sightline.graph.inlets import InletOptions, Inlets
from sightline.graph.telling import told_of
from sightline.pipeline.stream_spec import StreamSpec
from sightline.stream import Losses
from sightline.transport.frames import facts_of, pack_losses
from sightline.transport.messages import Announce, Ended, FrameId

KILLED = -9
OPTIONS = InletOptions(
    address="hub", segment_prefix="none-", frames=8, window_bytes=None, outputs=False
)


class FakeChildren:
    """Starts nothing, and notes what is to be started."""

    def __init__(self):
        self.started = []

    def start(self, identity, main, options):
        self.started.append(options)


class Rig:
    """One stream, whose source delivers 10 frames per second and then ends in some way."""

    def __init__(self, *, live=False, **wishes):
        self.source = Numbered("cam", live=live)
        self.children = FakeChildren()
        self.inlets = Inlets(self.children, OPTIONS)
        self.state = self.inlets.open(StreamSpec(self.source, **wishes))
        self.now_s = 100.0

    def deliver(self, frames):
        """Open the source, and take some frames of it."""
        state = self.state
        self.inlets.announced(state.feeder, Announce(facts_of(self.source.info), 0, 0, 8))
        for _ in range(frames):
            self.now_s += 0.1
            seq = state.admitted
            state.took(FrameId("cam", state.epoch, seq, seq, (1, 30), round(self.now_s * 1e9)))

    def die(self):
        """Let the process die; return for how long nobody opens the source, None: never."""
        self.inlets.died(self.state.feeder, KILLED, self.now_s)
        return self.waited_s()

    def end(self, error=None):
        """Let the source end; return for how long nobody opens it, None: never."""
        told = None if error is None else told_of(error)
        losses = pack_losses(Losses())
        ended = Ended("cam", self.state.epoch, self.state.admitted, losses, told, 0.0)
        self.inlets.ended(self.state.feeder, ended, self.now_s)
        return self.waited_s()

    def waited_s(self):
        due_s = self.state.reopen_at_s
        if due_s is None:
            return None
        waited_s, self.now_s = due_s - self.now_s, due_s
        self.inlets.reopen_due(due_s)
        return round(waited_s, 3)


def test_a_live_source_that_must_not_be_opened_again_ends_with_its_process():
    rig = Rig(live=True, restart="never")
    rig.deliver(30)
    assert rig.die() is None
    assert rig.state.end == 30
    assert isinstance(rig.state.error, MediaError)
    assert str(rig.state.error) == (
        "the process that reads 'cam' died after frame 29 (exit status -9); it is not "
        "opened again, because its restart policy is 'never'"
    )
    assert len(rig.children.started) == 1


@pytest.mark.parametrize("restart", [None, "on-failure", "always"])
def test_a_live_source_that_dies_again_and_again_is_waited_for_longer_every_time(restart):
    rig = Rig(live=True, restart=restart)
    delays = []
    for _ in range(10):
        rig.deliver(30)
        delays.append(rig.die())
    assert delays == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert rig.state.epoch == 10


def test_a_live_source_that_fails_again_and_again_after_some_frames_is_waited_for_longer():
    rig = Rig(live=True)
    delays = []
    for _ in range(4):
        rig.deliver(30)
        delays.append(rig.end(OSError("the cable was pulled")))
    assert delays == [0.0, 0.5, 1.0, 2.0]


def test_a_source_that_delivered_frames_for_long_is_opened_at_once_when_it_dies_again():
    rig = Rig(live=True)
    for _ in range(5):
        rig.deliver(3)
        rig.die()
    rig.deliver(60)
    assert rig.die() == 0.0
    rig.deliver(3)
    assert rig.die() == 0.5


def test_a_source_that_is_open_for_long_but_delivers_nothing_is_waited_for_longer():
    rig = Rig(live=True)
    delays = []
    for _ in range(3):
        rig.deliver(1)
        rig.now_s += 60.0
        delays.append(rig.die())
    assert delays == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("restart", [None, "never"])
def test_a_recording_whose_process_dies_is_read_on_at_once_whatever_its_policy_says(restart):
    rig = Rig(restart=restart)
    rig.deliver(30)
    assert rig.die() == 0.0
    assert rig.children.started[-1].skip == 30
    assert rig.state.epoch == 0


def test_a_recording_that_is_repeated_begins_anew_at_once_without_a_warning(caplog):
    rig = Rig(restart="always")
    for _ in range(5):
        rig.deliver(3)
        with caplog.at_level(logging.INFO):
            assert rig.end() == 0.0
    assert caplog.records == []


def test_a_recording_without_a_frame_that_is_repeated_is_waited_for_longer_every_time():
    rig = Rig(restart="always")
    delays = []
    for _ in range(4):
        rig.deliver(0)
        delays.append(rig.end())
    assert delays == [0.0, 0.5, 1.0, 2.0]


def test_a_source_that_ends_with_an_error_and_is_opened_again_is_warned_of(caplog):
    rig = Rig(live=True)
    rig.deliver(3)
    rig.end(OSError("the cable was pulled"))
    assert "the cable was pulled" in caplog.text


@pytest.mark.parametrize(
    ("live", "rate", "paced"),
    [(False, None, False), (False, "native", True), (False, 25.0, True), (True, None, True)],
)
def test_the_frames_of_a_camera_or_at_a_rate_come_at_times_of_their_own(live, rate, paced):
    rig = Rig(live=live, rate=rate, mode="every-frame")
    rig.deliver(1)
    assert rig.state.policy.paced is rig.state.policy.is_timely is paced
