"""A feeder whose hub is played: it gives no slot back."""

import time

import pytest
from tests.graph_stages import Numbered
from tests.graph_witness import PATIENCE_S

from sightline.graph import feeder as feeder_module
from sightline.graph.feeder import Feeder, FeederOptions
from sightline.transport.link import Received
from sightline.transport.messages import Admit, Ended, Stop, decode, encode
from sightline.transport.run_directory import RunDirectory

FRAMES = 50
WINDOW = 4


class Hub:
    """The link to a hub that says nothing before the source has ended, and stop then."""

    def __init__(self):
        self.admitted = []
        self.waited_s = []  # after which frames, and how long at most
        self.is_over = False

    def send(self, parts):
        match decode(parts[0]):
            case Admit() as message:
                self.admitted.append(message)
            case Ended():
                self.is_over = True

    def receive(self):
        return Received(b"", [encode(Stop())]) if self.is_over else None

    def wait(self, timeout_s):
        self.waited_s.append((len(self.admitted), timeout_s))


class Camera(Numbered):
    """Has a frame every other millisecond."""

    def frame(self, seq):
        time.sleep(0.002)
        return super().frame(seq)


@pytest.fixture
def feed(tmp_path):
    def feed(source):
        hub = Hub()
        with RunDirectory.create(tmp_path / "runs") as directory:
            options = FeederOptions(
                address="",
                identity=b"feeder",
                source=source,
                segments=directory.segment_prefix,
                frames=WINDOW,
            )
            Feeder(hub, options).run()
        dropped = [message.frame.seq for message in hub.admitted if message.dropped]
        assert len(hub.admitted) == FRAMES
        return hub, dropped

    return feed


def test_a_live_source_that_nothing_paces_is_read_slowly_while_its_frames_are_dropped(
    feed, monkeypatch
):
    monkeypatch.setattr(feeder_module, "_LEAST_S", PATIENCE_S)  # no machine is as slow
    hub, dropped = feed(Numbered("flood", FRAMES, live=True))
    assert 0 < len(dropped) < FRAMES
    assert [after - 1 for after, _ in hub.waited_s] == dropped
    assert all(0 < wait_s <= PATIENCE_S for _, wait_s in hub.waited_s)


def test_a_camera_is_never_waited_for_longer_than_it_makes_the_feeder_wait(feed):
    hub, dropped = feed(Camera("cam", FRAMES, live=True))
    assert dropped
    assert hub.waited_s == []
