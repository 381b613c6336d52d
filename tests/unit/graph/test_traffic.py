"""The way of frames through the steps of a plan, with handlers that are played."""

import numpy as np
import pytest
from tests.graph_stages import Crowd, Numbered, Read

from sightline import Detections
from sightline.graph.plan import make_plan
from sightline.graph.report import GraphReport
from sightline.graph.streams import StreamState
from sightline.graph.traffic import Traffic
from sightline.pipeline.per_object import PerObject
from sightline.pipeline.stream_spec import StreamSpec
from sightline.transport.frames import pack_data, pack_objects
from sightline.transport.messages import Admit, Failure, FrameId, Pixels, Result

FRAMES = 6
ODD = 3  # the frame whose objects kill handlers, or fail
BOXES = np.array([[2 * n, n, 2 * n + 20, n + 16] for n in range(20)], np.float32)
OBJECTS = pack_objects(Detections(xyxy=BOXES))


class Rig:
    """The frames of one stream on their way, in steps for frames and for their objects."""

    def __init__(self, *handlers):
        self.settled = {}
        self.given = {}  # to each handler, oldest first
        self.deaths = 0
        self.traffic = Traffic(
            make_plan([("crowd", Crowd()), ("per-object", PerObject(Read()))]),
            GraphReport(),
            max_attempts=3,
            on_settled=lambda _, record: self.settled.setdefault(record.about.seq, record),
        )
        state = StreamState(StreamSpec(Numbered("a")), "a", b"feeder", window=FRAMES)
        self.traffic.add_stream(state)
        for handler in handlers:
            self.join(handler)
        for seq in range(FRAMES):
            about = FrameId("a", 0, seq, seq, (1, 30), 0)
            self.traffic.admit(state, b"feeder", Admit(about, Pixels((48, 64, 3))))

    def join(self, handler):
        self.given[handler] = []
        self.traffic.handler_joined(handler, batch=1)

    def assign(self):
        """Give out what can be given out; list the parts of the odd frame among it."""
        assigned = self.traffic.assign()
        for handler, work, _ in assigned:
            self.given[handler].append(work)
        return [work for _, work, _ in assigned if work.frame.seq == ODD and work.part >= 0]

    def answer(self, handler, **outcome):
        work = self.given[handler].pop(0)
        outcome = outcome or {"data": pack_data({"sum": 1})}
        if work.part < 0:
            outcome = {"objects": OBJECTS}
        self.traffic.result(handler, Result(work.frame, work.step, work.part, **outcome), None)

    def die(self, handler):
        del self.given[handler]
        self.deaths += 1
        self.traffic.handler_left(handler, "it died")
        self.join(b"%s'" % handler)

    def run(self, meet):
        """Let handlers work until nothing is left; `meet(handler)` acts on parts of the odd one."""
        self.assign()
        while busy := [handler for handler, works in self.given.items() if works]:
            for handler in busy:
                first = self.given[handler][0]
                is_odd = first.frame.seq == ODD and first.part >= 0
                (meet if is_odd else self.answer)(handler)
            self.assign()
        assert sorted(self.settled) == list(range(FRAMES))
        return {seq: record.failure for seq, record in self.settled.items() if record.is_over}


@pytest.mark.parametrize("handlers", [[b"a"], [b"a", b"b"]], ids=["one", "two"])
def test_a_frame_gets_three_attempts_in_all_though_every_object_of_it_kills_handlers(handlers):
    rig = Rig(*handlers)
    over = rig.run(rig.die)
    assert list(over) == [ODD]
    assert over[ODD].error == "given up after 3 attempts: it died"
    assert rig.deaths <= 2 + len(handlers)


def test_no_further_object_is_given_out_of_a_frame_of_which_one_failed():
    rig = Rig(b"a")
    asked = []

    def fail(handler):
        asked.append(handler)
        rig.answer(handler, failure=Failure("read", "ValueError: no", ""))

    over = rig.run(fail)
    assert list(over) == [ODD]
    assert over[ODD].stage == "read"
    assert len(asked) <= 4  # those that the handler had by then
