import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.detections import Detections
from sightline.evaluate.detection import JudgedFrame, average_precision

NAMES = ("person", "car")


def boxes(*lefts, confidence=None, class_id=None):
    """Boxes of 10 × 10 pixels with the given left edges."""
    xyxy = np.array([[left, 0, left + 10, 10] for left in lefts], np.float32).reshape(-1, 4)
    return Detections(xyxy=xyxy, confidence=confidence, class_id=class_id, class_names=NAMES)


def area_by_definition(verdicts, wanted):
    """Average over the recalls 1/n, 2/n … 1 of the best precision at that recall or beyond."""
    hits, points = 0, []
    for rank, right in enumerate(verdicts, 1):
        hits += right
        points.append((hits, hits / rank))
    reached = [max((p for h, p in points if h >= k), default=0) for k in range(1, wanted + 1)]
    return sum(reached) / wanted


def test_everything_found_and_nothing_else_is_one():
    frame = JudgedFrame(truth=boxes(0, 50), found=boxes(50, 0, confidence=[0.9, 0.2]))
    assert average_precision([frame]).mean == 1


def test_nothing_found_is_zero():
    assert average_precision([JudgedFrame(truth=boxes(0), found=boxes())]).mean == 0


def test_nothing_to_be_found_has_no_average():
    result = average_precision([JudgedFrame(truth=boxes(), found=boxes(0))])
    assert result.by_class == {}
    assert math.isnan(result.mean)


def test_a_worked_example():
    # Right, wrong, right, and one of three missed: (1 + 2/3) / 3.
    found = boxes(0, 200, 50, confidence=[0.9, 0.8, 0.7])
    frame = JudgedFrame(truth=boxes(0, 50, 100), found=found)
    assert average_precision([frame]).mean == pytest.approx((1 + 2 / 3) / 3)


def test_a_second_box_on_the_same_object_is_wrong():
    found = boxes(0, 1, 50, confidence=[0.9, 0.8, 0.7])
    frame = JudgedFrame(truth=boxes(0, 50), found=found)
    assert average_precision([frame]).mean == pytest.approx((1 + 2 / 3) / 2)


def test_the_threshold_counts_as_reached():
    frame = JudgedFrame(truth=boxes(0), found=boxes(5))  # IoU is 50 / 150
    assert average_precision([frame], iou_threshold=1 / 3).mean == 1
    assert average_precision([frame], iou_threshold=0.34).mean == 0


def test_difficult_objects_neither_cost_nor_gain():
    found = boxes(0, 50, confidence=[0.5, 0.9])
    difficult = np.array([False, True, True])
    frame = JudgedFrame(truth=boxes(0, 50, 100), found=found, difficult=difficult)
    assert average_precision([frame]).mean == 1


def test_classes_are_judged_apart():
    truth = boxes(0, 50, class_id=[0, 1])
    found = boxes(0, 50, class_id=[0, 0])
    result = average_precision([JudgedFrame(truth=truth, found=found)])
    assert result.by_class == {"person": 1.0, "car": 0.0}
    assert result.mean == 0.5


def test_classes_without_names_go_by_their_number():
    boxes_without_names = Detections(xyxy=[[0, 0, 9, 9]], class_id=[4])
    result = average_precision([JudgedFrame(truth=boxes_without_names, found=boxes_without_names)])
    assert result.by_class == {"4": 1.0}


def test_different_class_names_are_an_error():
    with pytest.raises(ValueError, match="name their classes differently"):
        JudgedFrame(truth=boxes(0), found=boxes(0).replace(class_names=("car", "person")))


def test_a_flag_too_few_is_an_error():
    with pytest.raises(ValueError, match="one flag per object"):
        JudgedFrame(truth=boxes(0, 50), found=boxes(), difficult=np.array([True]))


@given(st.lists(st.booleans(), max_size=30), st.integers(0, 5))
def test_the_area_is_that_of_the_definition(verdicts, missed):
    """A right box lies on an object of its own, a wrong one on nothing."""
    wanted = sum(verdicts) + missed
    truth = boxes(*(20 * k for k in range(wanted)))
    hits = iter(range(wanted))
    lefts = [20 * next(hits) if right else -1000 for right in verdicts]
    confidence = np.linspace(1, 0.1, len(lefts))
    result = average_precision(
        [JudgedFrame(truth=truth, found=boxes(*lefts, confidence=confidence))]
    )
    if wanted:
        assert result.mean == pytest.approx(area_by_definition(verdicts, wanted))
    else:
        assert result.by_class == {}


frames = st.lists(
    st.tuples(
        st.lists(st.integers(0, 60)),
        st.lists(st.tuples(st.integers(0, 60), st.floats(0, 1, width=16))),
    ),
    max_size=5,
)


def judged(frame):
    lefts, found = frame
    confidence = [score for _, score in found]
    return JudgedFrame(
        truth=boxes(*lefts), found=boxes(*(x for x, _ in found), confidence=confidence)
    )


@given(frames)
def test_the_result_lies_between_zero_and_one_and_depends_on_the_order_of_scores_alone(drawn):
    before = average_precision([judged(frame) for frame in drawn])
    halved = [(lefts, [(x, score / 2) for x, score in found]) for lefts, found in drawn]
    after = average_precision([judged(frame) for frame in halved])
    assert all(0 <= value <= 1 for value in before.by_class.values())
    assert after == before
