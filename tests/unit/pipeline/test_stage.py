"""Promises and abilities of stages: changes while they run, and images that stay."""

import numpy as np
import pytest

from sightline.errors import PipelineError, StageError
from sightline.frame import Frame
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.stage import Stage
from sightline.pipeline.stages import Detect, Draw, Track
from sightline.testing.detector import BlobDetector
from sightline.testing.source import ListSource

IMAGE = np.zeros((8, 12, 3), np.uint8)


class Blur(Stage):
    changeable = frozenset({"strength", "mode"})
    strength = 1

    def process(self, frame):
        return frame


class Checked(Blur):
    def apply_change(self, parameters):
        if parameters["strength"] < 0:
            raise ValueError("strength must be 0 or more")
        super().apply_change(parameters)


def test_parameters_that_are_declared_changeable_change():
    stage = Blur()
    stage.change(strength=3, mode="box")
    assert (stage.strength, stage.mode) == (3, "box")
    assert Blur.strength == 1


def test_other_parameters_do_not_change_and_neither_do_those_named_with_them():
    stage = Blur()
    with pytest.raises(
        PipelineError,
        match="stage 'blur' cannot change 'scope' while it runs; changeable: mode, strength",
    ):
        stage.change(strength=3, scope=None)
    assert stage.strength == 1
    with pytest.raises(PipelineError, match="changeable: none"):
        Draw().change(trails=3)


@pytest.mark.parametrize("wrong", [-1, "strong"])
def test_a_wrong_value_is_a_pipeline_error(wrong):
    stage = Checked()
    with pytest.raises(PipelineError, match="stage 'checked': "):
        stage.change(strength=wrong)
    assert stage.strength == 1


def test_the_confidence_of_an_onnx_detector_changes_while_it_runs():
    stage = Detect("demo", confidence=0.3)
    assert stage.changeable == {"confidence", "nms"}
    stage.change(confidence=0.6)
    assert stage.describe()["options"]["confidence"] == 0.6
    with pytest.raises(PipelineError, match=r"stage 'detect': confidence must be in \[0, 1\)"):
        stage.change(confidence=1.5, nms=0.1)
    with pytest.raises(PipelineError, match="stage 'detect': "):
        stage.change(confidence="high")
    assert stage.describe()["options"]["confidence"] == 0.6
    assert stage.describe()["options"]["nms"] == 0.45


@pytest.mark.parametrize("detector", ["motion", BlobDetector()])
def test_detectors_without_changeable_options_have_none(detector):
    with pytest.raises(PipelineError, match="cannot change 'confidence' while it runs"):
        Detect(detector).change(confidence=0.5)


def test_detecting_and_tracking_keep_the_image_and_drawing_does_not():
    assert not Detect(BlobDetector()).changes_image
    assert not Track().changes_image
    assert Draw().changes_image


def test_a_stage_that_breaks_its_promise_to_keep_the_image_fails():
    class Liar(Stage):
        changes_image = False

        def process(self, frame):
            return frame.replace(image=frame.image[::2])

    with pytest.raises(StageError, match="'liar' says changes_image = False, but returned another"):
        Pipeline([Liar()]).run(ListSource([IMAGE]))


def test_drawing_uses_the_memory_that_a_runner_grants():
    class Granted:
        memory = np.full((8, 12, 3), 77, np.uint8)

        def allocate(self, shape):
            return self.memory if shape == self.memory.shape else None

    image = np.random.default_rng(1).integers(0, 256, (8, 12, 3), np.uint8)
    plain = Frame(image=image, seq=0, pts=0)
    granted = plain.replace(_buffers=Granted())
    with Draw() as draw:
        drawn = draw.process(granted)
        assert np.shares_memory(drawn.image, Granted.memory)
        np.testing.assert_array_equal(drawn.image, draw.process(plain).image)
        gray = draw.process(granted.replace(image=image[..., 0]))
        assert gray.image.shape == (8, 12, 3)
        np.testing.assert_array_equal(gray.image, np.repeat(image[..., :1], 3, axis=2))
    assert not np.shares_memory(drawn.image, image)


def test_a_scope_that_is_none_is_refused():
    stage = Blur()
    stage.scope = "stream"
    with pytest.raises(PipelineError, match=r"scope must be Scope\.STATELESS or .* is 'stream'"):
        Pipeline([stage])


def test_a_class_in_place_of_a_stage_is_told_from_what_is_no_stage():
    with pytest.raises(PipelineError, match=r"Blur is a class; make a stage of it: Blur\(…\)"):
        Pipeline([Blur])
    with pytest.raises(PipelineError, match="'blur' is not a stage; derive its class from Stage"):
        Pipeline(["blur"])


@pytest.mark.parametrize("size", [0, -3])
def test_a_batch_has_at_least_one_frame(size):
    stage = Blur()
    stage.batch_size = size
    with pytest.raises(PipelineError, match=f"batch_size must be 1 or more, but is {size}"):
        Pipeline([stage])
