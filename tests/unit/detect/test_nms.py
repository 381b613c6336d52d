import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sightline.detect import nms
from sightline.detect.nms import suppress


def naive(xyxy, confidence, class_id, iou):
    """The textbook loop, one box at a time."""
    chosen = []
    for i in sorted(range(len(xyxy)), key=lambda i: -confidence[i]):
        if not any(class_id[i] == class_id[j] and overlap(xyxy[i], xyxy[j], iou) for j in chosen):
            chosen.append(i)
    return chosen


def overlap(a, b, iou):
    width = max(np.float32(0), min(a[2], b[2]) - max(a[0], b[0]))
    height = max(np.float32(0), min(a[3], b[3]) - max(a[1], b[1]))
    area = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height > np.float32(iou) * (area[0] + area[1] - width * height)


@st.composite
def detections(draw, most=40):
    count = draw(st.integers(0, most))
    # whole numbers: many ties, touching boxes and boxes without an area
    corners = draw(hnp.arrays(np.int64, (count, 2), elements=st.integers(-5, 30)))
    sizes = draw(hnp.arrays(np.int64, (count, 2), elements=st.integers(0, 20)))
    confidence = draw(hnp.arrays(np.int64, count, elements=st.integers(0, 10))) / 10
    class_id = draw(hnp.arrays(np.int32, count, elements=st.integers(0, 2)))
    xyxy = np.hstack([corners, corners + sizes]).astype(np.float32)
    return xyxy, confidence.astype(np.float32), class_id


thresholds = st.sampled_from([0.0, 0.3, 0.45, 0.5, 1.0])


@given(detections(), thresholds)
def test_it_chooses_what_the_textbook_loop_chooses(found, iou):
    xyxy, confidence, class_id = found

    chosen = suppress(xyxy, confidence, class_id=class_id, iou=iou)

    assert chosen.tolist() == naive(xyxy, confidence, class_id, iou)


@given(detections(), thresholds)
def test_agnostic_suppression_takes_all_boxes_for_one_class(found, iou):
    xyxy, confidence, class_id = found

    chosen = suppress(xyxy, confidence, iou=iou)

    assert chosen.tolist() == naive(xyxy, confidence, np.zeros_like(class_id), iou)


@given(detections(), thresholds)
def test_a_second_pass_changes_nothing(found, iou):
    xyxy, confidence, class_id = found
    chosen = suppress(xyxy, confidence, class_id=class_id, iou=iou)

    again = suppress(xyxy[chosen], confidence[chosen], class_id=class_id[chosen], iou=iou)

    assert again.tolist() == list(range(len(chosen)))


@given(detections(), thresholds, st.randoms(use_true_random=False))
def test_the_order_of_the_boxes_does_not_matter_where_confidences_differ(found, iou, random):
    xyxy, _, class_id = found
    confidence = np.linspace(0.1, 0.9, len(xyxy), dtype=np.float32)
    order = list(range(len(xyxy)))
    random.shuffle(order)

    chosen = suppress(xyxy, confidence, class_id=class_id, iou=iou)
    shuffled = suppress(xyxy[order], confidence[order], class_id=class_id[order], iou=iou)

    assert [order[i] for i in shuffled] == chosen.tolist()


@pytest.mark.parametrize("count", [255, 256, 257, 700])
def test_blocks_do_not_show_in_the_result(count):
    random = np.random.default_rng(count)
    corner = random.uniform(0, 300, (count, 2))
    xyxy = np.hstack([corner, corner + random.uniform(5, 60, (count, 2))]).astype(np.float32)
    confidence = random.random(count).astype(np.float32)
    class_id = random.integers(0, 2, count)

    assert count > nms._BLOCK - 2
    assert suppress(xyxy, confidence, class_id=class_id, iou=0.3).tolist() == naive(
        xyxy, confidence, class_id, 0.3
    )


def test_of_equal_boxes_of_equal_confidence_the_first_is_chosen():
    xyxy = np.tile(np.array([[0, 0, 9, 9]], np.float32), (3, 1))

    assert suppress(xyxy, np.full(3, 0.5, np.float32), iou=0.5).tolist() == [0]


def test_boxes_far_left_of_the_frame_do_not_compete_across_classes():
    """Suppression by shifting each class aside fails here."""
    xyxy = np.array([[-500, 0, -400, 50], [0, 0, 100, 50]], np.float32)

    chosen = suppress(xyxy, np.array([0.9, 0.8], np.float32), class_id=np.array([1, 0]), iou=0.3)

    assert chosen.tolist() == [0, 1]
