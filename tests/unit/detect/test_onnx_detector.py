import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sightline.detect.detector import AdjustableDetector, Detector
from sightline.detect.model_file import ModelFile
from sightline.detect.nms import Suppression
from sightline.detect.onnx_detector import OnnxDetector
from sightline.detect.onnx_options import OnnxOptions
from sightline.detect.onnx_runtime import Provider
from sightline.errors import ModelError
from sightline.processors import usable_cores
from sightline.scope import Scope

FRAME = np.full((64, 64, 3), 200, np.uint8)
BLACK = np.zeros((64, 64, 3), np.uint8)
NAMES = {"names": "{0: 'cat', 1: 'dog', 2: 'cow'}"}

# Two boxes of one object as two classes, and one elsewhere.
OBJECTS = [(20, 20, 20, 20, 0.6, 0), (21, 20, 20, 20, 0.8, 1), (50, 50, 10, 10, 0.7, 0)]


@pytest.fixture
def model(build_model, encode):
    return build_model(encode["yolov8"](OBJECTS), metadata=NAMES)


def opened(path, **options):
    detector = OnnxDetector(path, options=OnnxOptions(**options))
    detector.open()
    return detector


def found(detector, frame=FRAME):
    (detections,) = detector.detect([frame])
    rows = zip(detections.class_id.tolist(), detections.confidence.tolist(), strict=True)
    return [(class_id, round(confidence, 2)) for class_id, confidence in rows]


def test_it_is_a_stateless_detector(model):
    detector = OnnxDetector(model)

    assert isinstance(detector, Detector)
    assert detector.scope is Scope.STATELESS


def test_detections_come_most_confident_first_with_their_class_names(model):
    (detections,) = opened(model).detect([FRAME])

    assert found(opened(model)) == [(1, 0.8), (0, 0.7), (0, 0.6)]
    assert [detections.class_name(row) for row in range(3)] == ["dog", "cat", "cat"]


def test_agnostic_suppression_leaves_one_class_per_object(model):
    assert found(opened(model, suppression=Suppression.AGNOSTIC)) == [(1, 0.8), (0, 0.7)]


def test_classes_that_are_not_wanted_do_not_suppress_others(model):
    detector = opened(model, suppression=Suppression.AGNOSTIC, classes=("cat",))

    assert found(detector) == [(0, 0.7), (0, 0.6)]


def test_classes_are_chosen_by_name_or_number(model):
    assert found(opened(model, classes=("dog", "2"))) == [(1, 0.8)]


def test_an_unknown_class_is_an_error_when_the_detector_is_opened(model):
    with pytest.raises(ModelError, match="no class 'doge'; did you mean dog"):
        opened(model, classes=("doge",))


def test_confidence_and_overlap_can_be_changed_between_images(model):
    detector = opened(model, suppression=Suppression.AGNOSTIC)
    assert isinstance(detector, AdjustableDetector)

    detector.change(nms=1.0)
    assert found(detector) == [(1, 0.8), (0, 0.7), (0, 0.6)]
    detector.change(confidence=0.65)
    assert found(detector) == [(1, 0.8), (0, 0.7)]
    assert detector.describe()["options"]["confidence"] == 0.65


@pytest.mark.parametrize(
    "wrong", [{"nms": 0.1, "confidence": 2}, {"confidence": "a"}, {"classes": ["cat"]}]
)
def test_a_wrong_change_changes_nothing(model, wrong):
    detector = opened(model)
    before = detector.describe()

    with pytest.raises((ValueError, TypeError), match=r"confidence must be|classes"):
        detector.change(**wrong)
    assert detector.describe() == before


def test_no_more_than_the_most_confident_are_returned(model):
    assert found(opened(model, max_detections=2)) == [(1, 0.8), (0, 0.7)]


def test_a_frame_in_which_nothing_is_found_gives_no_detections(model):
    (detections,) = opened(model).detect([BLACK])

    assert len(detections) == 0
    assert detections.class_names == ("cat", "dog", "cow")


@pytest.mark.parametrize("batch", [1, 2, 4, "batch"])
def test_every_frame_of_a_batch_gets_its_own_detections(build_model, encode, batch):
    detector = opened(build_model(encode["yolov8"](OBJECTS), batch=batch))

    results = detector.detect([FRAME, BLACK, FRAME, BLACK, BLACK])

    assert [len(detections) for detections in results] == [3, 0, 3, 0, 0]
    assert results[2].equals(detector.detect([FRAME])[0])
    assert detector.detect([]) == []


def test_frames_of_different_shapes_in_one_call_are_refused(model):
    with pytest.raises(ValueError, match="one shape"):
        opened(model).detect([FRAME, FRAME[:32]])


def test_gray_frames_are_detected_in(model):
    assert len(found(opened(model), FRAME[:, :, 0])) == 3


@pytest.mark.parametrize("threads_per_run", [1, 2])
def test_threads_share_a_detector_and_get_what_one_thread_gets(
    build_model, encode, threads_per_run
):
    model = build_model(encode["yolov8"](OBJECTS))
    detector = opened(model, parallel=usable_cores(), threads_per_run=threads_per_run)
    frames = [FRAME if i % 3 else BLACK for i in range(60)]
    frames += [np.full((40, 30), 9, np.uint8)] * 20
    expected = [detector.detect([frame])[0] for frame in frames]

    with ThreadPoolExecutor(detector.concurrency) as pool:
        results = list(pool.map(lambda frame: detector.detect([frame])[0], frames))

    assert all(got.equals(want) for got, want in zip(results, expected, strict=True))


def test_one_more_thread_than_runs_at_once_is_of_use_unless_the_runs_occupy_all_cores(model):
    cores = usable_cores()
    fewer = OnnxOptions(parallel=1, threads_per_run=2)
    all_of_them = OnnxOptions(parallel=cores, threads_per_run=1)

    assert OnnxDetector(model, options=fewer).concurrency == 2
    assert OnnxDetector(model, options=all_of_them).concurrency == cores


def test_nothing_is_loaded_before_it_is_opened(tmp_path):
    detector = OnnxDetector(tmp_path / "absent.onnx")

    assert detector.describe()["name"] == "absent"
    with pytest.raises(RuntimeError, match="not open"):
        detector.detect([FRAME])
    with pytest.raises(ModelError, match="does not exist"):
        detector.open()


def test_opening_and_closing_twice_does_no_harm(model):
    detector = opened(model)
    detector.open()
    detector.close()
    detector.close()
    with pytest.raises(RuntimeError, match="not open"):
        detector.detect([FRAME])

    detector.open()

    assert len(found(detector)) == 3


def test_a_report_says_what_the_results_depend_on(model):
    facts = opened(model, classes=("cat",), parallel=1, threads_per_run=1).describe()

    assert json.loads(json.dumps(facts)) == facts
    assert facts["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert (facts["layout"], facts["provider"], facts["class_count"]) == ("yolov8", "cpu", 3)
    assert facts["input"] == {"size": [64, 64], "batch": 1, "dtype": "float32"}
    assert (facts["options"]["confidence"], facts["options"]["classes"]) == (0.3, ["cat"])
    assert set(facts["versions"]) == {"onnxruntime", "opencv", "numpy"}


def test_names_can_be_given_as_a_file(model, tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("Katze\nHund\nKuh\n")

    (detections,) = opened(model, names=path).detect([FRAME])

    assert detections.class_names == ("Katze", "Hund", "Kuh")


def test_too_few_names_are_an_error(model):
    with pytest.raises(ModelError, match="3 classes, but there are 2 names"):
        opened(model, names=("cat", "dog"))


def test_a_model_of_80_classes_without_names_gets_those_of_coco(build_model):
    table = np.zeros((84, 84), np.float32)
    table[:4, 0], table[4 + 16, 0] = 32, 0.9

    (detections,) = opened(build_model({"output0": table})).detect([FRAME])

    assert detections.class_name(0) == "dog"


def test_what_is_known_about_a_model_file_is_used(model):
    file = ModelFile(name="pets", locate=lambda: model, class_names=("a", "b", "c"))

    detector = opened(file)

    assert detector.describe()["name"] == "pets"
    assert detector.detect([FRAME])[0].class_names == ("a", "b", "c")


def test_a_provider_that_is_not_installed_is_an_error(model):
    with pytest.raises(ModelError, match="'coreml' is not in the installed ONNX Runtime"):
        opened(model, provider=Provider.COREML)


def test_a_model_that_fails_at_run_time_is_an_error_in_one_line(tmp_path):
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["images", "shape"], ["output0"])],
        "test",
        [info("images", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [info("output0", TensorProto.FLOAT, [1, 7, 84])],
        initializer=[helper.make_tensor("shape", TensorProto.INT64, [3], [1, 7, 84])],
    )
    path = tmp_path / "model.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)

    with pytest.raises(ModelError, match=r"failed on an input of shape \(1, 3, 96, 96\)") as caught:
        opened(path, size=(96, 96))

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("confidence", 1.0),
        ("confidence", -0.1),
        ("nms", 1.5),
        ("classes", ()),
        ("max_detections", 0),
        ("parallel", 0),
        ("threads_per_run", -1),
        ("size", (640, 0)),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(option, value):
    with pytest.raises(ValueError, match=option):
        OnnxOptions(**{option: value})
