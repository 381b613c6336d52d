"""The objects of a frame under way."""

import pytest

from sightline.graph.objects import busy_ns
from sightline.transport.messages import FrameId, Result

FRAME = FrameId("a", 0, 0, 0, (1, 30), 0)


@pytest.mark.parametrize(
    ("intervals", "busy"),
    [
        ([], 0),
        ([(3, 8)], 5),
        ([(5, 7), (0, 2)], 4),
        ([(5, 6), (0, 10)], 10),
        ([(0, 4), (2, 6), (6, 7)], 7),
        ([(8, 3)], 0),
    ],
    ids=["none", "one", "apart", "within", "overlapping", "backwards"],
)
def test_work_of_several_handlers_at_the_same_time_counts_once(intervals, busy):
    results = [Result(FRAME, started_ns=begin, ended_ns=end) for begin, end in intervals]
    assert busy_ns(results) == busy
