"""Stages on the crops of objects: what is cut, what comes back, and where."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.detections import Detections
from sightline.errors import PipelineError, StageError
from sightline.frame import Frame
from sightline.pipeline.per_object import PerObject, cut, join
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.stage import Stage
from sightline.pipeline.stages import Detect, Draw
from sightline.scope import Scope
from sightline.testing.detector import BlobDetector
from sightline.testing.sink import ListSink
from sightline.testing.source import ListSource

NAMES = ("person", "car")


def frame_of(*boxes, class_id=None, data=None):
    """Make a frame of 12×8 whose blue and green say where a pixel was."""
    image = np.zeros((8, 12, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(12), np.arange(8)[:, None]
    detections = Detections(
        xyxy=np.reshape(np.array(boxes, np.float32), (-1, 4)),
        class_id=class_id,
        track_id=[10 + i for i in range(len(boxes))],
        class_names=NAMES,
    )
    return Frame(image=image, seq=7, pts=70, stream="s", detections=detections, data=data or {})


class Size(Stage):
    changes_image = False
    changeable = frozenset({"factor"})
    opened = False
    factor = 1

    def open(self):
        self.opened = True

    def close(self):
        self.opened = False

    def process(self, frame):
        return frame.replace(data={"size": frame.width * frame.height * self.factor})


def test_a_crop_has_every_pixel_that_the_box_touches():
    frame = frame_of([2.9, 1.2, 5.1, 4])
    crop = cut(frame, 0)
    np.testing.assert_array_equal(crop.image, frame.image[1:4, 2:6])
    assert np.shares_memory(crop.image, frame.image)
    assert not crop.image.flags.writeable


def test_a_crop_knows_its_object_in_its_own_pixels_and_keeps_the_place_in_time():
    frame = frame_of([0, 0, 2, 2], [2.5, 1, 40, 4], data={"earlier": 1})
    crop = cut(frame, 1)
    assert crop.detections.xyxy.tolist() == [[0.5, 0, 38, 3]]
    assert crop.detections.track_id.tolist() == [11]
    assert crop.detections.class_names == NAMES
    assert (crop.seq, crop.pts, crop.stream) == (7, 70, "s")
    assert crop.data == {}


def test_a_crop_is_not_given_the_memory_that_was_granted_for_the_frame():
    class Granted:
        def allocate(self, shape):
            raise AssertionError(f"{shape} was taken")

    frame = frame_of([0, 0, 2, 2]).replace(_buffers=Granted())
    assert cut(frame, 0).empty_image((2, 2)).shape == (2, 2)


OUTSIDE = [[-5, 0, 0, 8], [12, 0, 20, 8], [0, -9, 12, -1], [3, 3, 3, 3], [5, 5, 2, 2], [0, 8, 1, 9]]


@pytest.mark.parametrize("box", OUTSIDE)
def test_a_box_without_pixels_is_not_selected_and_cannot_be_cut(box):
    frame = frame_of(box, [0, 0, 1, 1])
    assert PerObject(Size()).rows(frame) == [1]
    with pytest.raises(ValueError, match="object 0 of frame 7 lies outside the image"):
        cut(frame, 0)


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=4, max_size=4))
def test_any_box_is_either_not_selected_or_a_crop_inside_the_image(box):
    frame = frame_of(box)
    if PerObject(Size()).rows(frame):
        crop = cut(frame, 0)
        assert crop.image.size > 0
        assert np.shares_memory(crop.image, frame.image)


def test_a_box_that_holds_nan_is_an_error():
    with pytest.raises(ValueError, match="the box of object 0 of frame 7 holds NaN"):
        PerObject(Size()).rows(frame_of([0, 0, np.nan, 2]))


def test_what_the_stage_finds_comes_back_as_one_entry_per_object():
    frame = frame_of([0, 0, 2, 2], [99, 0, 100, 2], [1, 1, 4, 3], data={"earlier": 1})
    result = PerObject(Size()).process(frame)
    assert result.data == {"earlier": 1, "size": [4, None, 6]}
    assert result.image is frame.image
    assert result.detections is frame.detections


def test_objects_are_selected_by_name_or_number_of_their_class():
    frame = frame_of(*[[0, 0, i, 1] for i in (1, 2, 3)], class_id=[0, 1, 5])
    assert PerObject(Size(), ["car"]).rows(frame) == [1]
    assert PerObject(Size(), {0, 5}).rows(frame) == [0, 2]
    assert PerObject(Size(), ["car", 5]).process(frame).data["size"] == [None, 2, 3]


def test_without_selected_objects_nothing_is_added():
    frame = frame_of()
    assert PerObject(Size()).process(frame) is frame


def test_dropped_crops_and_missing_keys_are_none():
    class Wide(Size):
        def process(self, frame):
            return None if frame.width < 2 else frame.replace(data={f"w{frame.width}": 1})

    result = PerObject(Wide()).process(frame_of(*[[0, 0, i, 1] for i in (1, 2, 3)]))
    assert result.data == {"w2": [None, 1, None], "w3": [None, None, 1]}


def test_parts_are_joined_in_whatever_order_they_come():
    frame = frame_of([0, 0, 1, 1], [0, 0, 2, 2])
    parts = {row: cut(frame, row).replace(data={"row": row}) for row in (1, 0)}
    assert join(frame, parts).data == {"row": [0, 1]}


def test_the_inner_stage_is_opened_closed_described_and_changed_with_it():
    inner = Size()
    stage = PerObject(inner, ["car", 3])
    with stage:
        assert inner.opened
        stage.change(factor=10)
        assert stage.process(frame_of([0, 0, 1, 1], class_id=[1])).data == {"size": [10]}
    assert not inner.opened
    assert stage.describe() == {
        "stage": "per-object",
        "classes": [3, "car"],
        "inner": {"stage": "size"},
    }
    with pytest.raises(PipelineError, match="cannot change 'color' while it runs; changeable: fac"):
        stage.change(color=3)


def test_it_runs_in_a_pipeline_on_what_a_detector_finds():
    image = np.zeros((20, 30, 3), np.uint8)
    image[2:6, 3:8] = 255
    image[10:12, 20:23] = 200
    sink = ListSink()
    Pipeline([Detect(BlobDetector()), PerObject(Size())]).run(ListSource([image] * 3), [sink])
    assert [frame.data["size"] for frame in sink.frames] == [[20, 6]] * 3


class Follow(Size):
    scope = Scope.STREAM


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Follow(),), "stage 'follow' needs the frames of a stream in order"),
        ((Detect("motion"),), "stage 'detect' needs the frames of a stream in order"),
        ((Draw(),), "stage 'draw' may change the image .* set changes_image = False"),
        (("draw",), "'draw' is not a stage"),
        ((Size(), "car"), "classes is a list of at least one name or id, but is 'car'"),
        ((Size(), 3), "classes is a list"),
        ((Size(), []), "classes is a list of at least one name or id"),
    ],
)
def test_what_cannot_run_per_object_is_refused(arguments, message):
    with pytest.raises(PipelineError, match=message):
        PerObject(*arguments)


@pytest.mark.parametrize(
    "changes", [{"image": np.zeros((2, 2, 3), np.uint8)}, {"detections": Detections.empty()}]
)
def test_a_stage_that_replaces_more_than_data_fails_the_frame(changes):
    class Replace(Size):
        def process(self, frame):
            return frame.replace(**changes)

    image = np.full((4, 4, 3), 255, np.uint8)
    pipeline = Pipeline([Detect(BlobDetector()), PerObject(Replace())])
    with pytest.raises(StageError, match="stage 'replace' replaced the image or detections"):
        pipeline.run(ListSource([image]))


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (
            lambda crop: crop.replace(pts=9),
            r"stage 'answer' replaced pts 0 by 9; stages may change",
        ),
        (lambda crop: [crop], "stage 'answer' returned list, not a frame or None"),
    ],
)
def test_a_stage_whose_result_is_none_of_the_crop_fails_the_frame(result, message):
    class Answer(Size):
        def process(self, frame):
            return result(frame)

    image = np.full((4, 4, 3), 255, np.uint8)
    pipeline = Pipeline([Detect(BlobDetector()), PerObject(Answer())])
    with pytest.raises(StageError, match=message):
        pipeline.run(ListSource([image]))
