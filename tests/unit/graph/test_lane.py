"""The lane of a stream: what it drops, and what does not stop it."""

import time

import pytest
from tests.graph_stages import RATE, numbered

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
