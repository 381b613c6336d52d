"""Every layout, as a real model in a real runtime."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sightline.detect.layouts.layout import Layout
from sightline.detect.onnx_detector import OnnxDetector
from sightline.detect.onnx_options import OnnxOptions
from sightline.errors import ModelError

# Two objects in a frame of 160×120, far apart: left, top, right, bottom, confidence, class id.
OBJECTS = np.array([[20, 10, 60, 90, 0.9, 2], [95, 40, 145, 70, 0.6, 0]])
FRAME = np.full((120, 160, 3), 200, np.uint8)
RT_DETR = {"description": "Ultralytics rtdetr-l model", "names": "{0: 'a', 1: 'b', 2: 'c'}"}

# How each family fits 160×120 into 64×64: factors and offsets in x and y.
TOP_LEFT = (0.4, 0.4, 0, 0)
CENTRED = (0.4, 0.4, 0, 8)
STRETCHED = (0.4, 64 / 120, 0, 0)
CASES = {
    "yolox": (TOP_LEFT, {}),
    "yolov5": (CENTRED, {}),
    "yolov8": (CENTRED, {}),
    "end2end": (CENTRED, {}),
    "detr": (STRETCHED, {}),
    "rf-detr": (STRETCHED, {}),
    "detr-joined": (STRETCHED, RT_DETR),
}


def in_input(fit):
    """Place the objects in the input of the model, as centre and size."""
    sx, sy, dx, dy = fit
    x1, y1, x2, y2, confidence, class_id = OBJECTS.T
    centre_x, centre_y = (x1 + x2) / 2 * sx + dx, (y1 + y2) / 2 * sy + dy
    rows = zip(
        centre_x, centre_y, (x2 - x1) * sx, (y2 - y1) * sy, confidence, class_id, strict=True
    )
    return [(*row[:5], int(row[5])) for row in rows]


def detect(path, frames=(FRAME,), **options):
    detector = OnnxDetector(path, options=OnnxOptions(**options))
    detector.open()
    return detector, detector.detect(frames)


def assert_objects(detections, *, pixels=0.01, confidence=1e-4):
    np.testing.assert_allclose(detections.xyxy, OBJECTS[:, :4], atol=pixels)
    np.testing.assert_allclose(detections.confidence, OBJECTS[:, 4], atol=confidence)
    assert detections.class_id.tolist() == [2, 0]


@pytest.mark.parametrize("batch", [1, 2, "batch"])
@pytest.mark.parametrize("layout", CASES)
def test_a_layout_is_recognised_and_its_boxes_come_back_in_pixels_of_the_frame(
    build_model, encode, layout, batch
):
    fit, metadata = CASES[layout]
    path = build_model(encode[layout](in_input(fit)), batch=batch, metadata=metadata)

    detector, (detections,) = detect(path)

    assert detector.describe()["layout"] == layout
    assert_objects(detections)


@pytest.mark.parametrize("layout", CASES)
def test_float16_models_give_the_same_boxes_within_their_precision(build_model, encode, layout):
    fit, metadata = CASES[layout]
    path = build_model(
        encode[layout](in_input(fit)), dtype="float16", result_dtype="float16", metadata=metadata
    )

    _, (detections,) = detect(path)

    assert_objects(detections, pixels=0.2, confidence=1e-3)


def test_uint8_models_give_the_same_boxes(build_model, encode):
    path = build_model(encode["yolov8"](in_input(CENTRED)), dtype="uint8")

    _, (detections,) = detect(path)

    assert_objects(detections)


@pytest.mark.parametrize("size", [("width", "height"), (64, "height")])
def test_a_free_input_size_is_settled_by_the_metadata(build_model, encode, size):
    path = build_model(
        encode["yolov8"](in_input(CENTRED)), size=size, metadata={"imgsz": "[64, 64]"}
    )

    _, (detections,) = detect(path)

    assert_objects(detections)


def test_a_free_input_size_can_be_given(build_model, encode):
    path = build_model(encode["yolox"](in_input(TOP_LEFT)), size=("w", "h"))

    _, (detections,) = detect(path, size=(64, 64))

    assert_objects(detections)


def test_a_transposed_yolov8_is_told_from_yolox_by_the_number_of_names(build_model, encode):
    table = encode["yolov8"](in_input(CENTRED))["output0"].T
    path = build_model({"output0": table}, metadata={"names": "['a', 'b', 'c']"})

    detector, (detections,) = detect(path)

    assert detector.describe()["layout"] == "yolov8"
    assert_objects(detections)


def test_the_deployed_detr_form_is_told_the_size_of_the_frame(tmp_path):
    """It returns boxes as fractions times the size that it is given."""
    fractions = (OBJECTS[:, :4] / np.array([160, 120, 160, 120]))[None].astype(np.float32)
    constants = [
        numpy_helper.from_array(fractions, "fractions"),
        numpy_helper.from_array(OBJECTS[None, :, 4].astype(np.float32), "scores_value"),
        numpy_helper.from_array(OBJECTS[None, :, 5].astype(np.int64), "labels_value"),
        numpy_helper.from_array(np.array([1, 1, 2], np.int64), "shape"),
    ]
    nodes = [
        helper.make_node("Cast", ["orig_target_sizes"], ["sizes"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["sizes", "shape"], ["size"]),
        helper.make_node("Concat", ["size", "size"], ["scale"], axis=2),
        helper.make_node("Mul", ["fractions", "scale"], ["boxes"]),
        helper.make_node("Identity", ["scores_value"], ["scores"]),
        helper.make_node("Identity", ["labels_value"], ["labels"]),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "test",
        [
            info("images", TensorProto.FLOAT, [1, 3, 64, 64]),
            info("orig_target_sizes", TensorProto.INT64, [1, 2]),
        ],
        [
            info("labels", TensorProto.INT64, [1, 2]),
            info("boxes", TensorProto.FLOAT, [1, 2, 4]),
            info("scores", TensorProto.FLOAT, [1, 2]),
        ],
        initializer=constants,
    )
    path = tmp_path / "deploy.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path
    )

    detector, (detections,) = detect(path)

    assert detector.describe()["layout"] == "detr-deploy"
    assert_objects(detections)


def test_one_query_of_a_detr_may_stand_for_two_classes(build_model, encode):
    outputs = encode["detr"]([(32, 32, 10, 10, 0.9, 1)])
    outputs["pred_logits"][0, 2] = 1
    path = build_model(outputs)

    _, (detections,) = detect(path)

    assert detections.class_id.tolist() == [1, 2]


def test_a_confidence_at_the_threshold_does_not_count(build_model, encode):
    path = build_model(encode["yolov8"]([(32, 32, 8, 8, 0.5, 0)]))

    assert len(detect(path, confidence=0.5)[1][0]) == 0
    assert len(detect(path, confidence=0.499)[1][0]) == 1


def test_a_layout_can_be_given_where_the_shape_says_nothing(build_model, encode):
    table = encode["yolov8"](in_input(CENTRED))["output0"][:, :83]
    path = build_model({"output0": table})

    with pytest.raises(ModelError, match=r"output0 \(1, 7, 83\).*yolox, yolov5, yolov8"):
        detect(path)
    _, (detections,) = detect(path, layout=Layout.YOLOV8)

    assert_objects(detections)


def test_a_layout_that_cannot_be_is_refused_with_the_reason(build_model, encode):
    path = build_model(encode["yolov8"](in_input(CENTRED)))

    with pytest.raises(ModelError, match="layout yolox: expected one row per grid cell"):
        detect(path, layout=Layout.YOLOX)
    with pytest.raises(ModelError, match="layout detr: expected two outputs"):
        detect(path, layout=Layout.DETR)
    with pytest.raises(ModelError, match="layout end2end: expected 6 values per row, but got 84"):
        detect(path, layout=Layout.END_TO_END)
    with pytest.raises(ModelError, match="layout detr-deploy: expected outputs labels"):
        detect(path, layout=Layout.DETR_DEPLOY)


def test_decoded_boxes_read_as_a_raw_head_are_noticed(build_model):
    """YOLOv6 has the shape of YOLOX, but its boxes are in pixels: their exponential is huge."""
    table = np.zeros((84, 8), np.float32)
    table[10] = 320, 320, 200, 100, 1, 0.9, 0, 0
    path = build_model({"outputs": table})

    with pytest.raises(ModelError, match=r"read as layout yolox.*option layout"):
        detect(path)


def test_scores_that_are_no_probabilities_are_noticed(build_model, encode):
    path = build_model(encode["yolov8"]([(32, 32, 8, 8, 7.5, 0)]))

    with pytest.raises(ModelError, match=r"confidence of 7\.5"):
        detect(path)


def test_outputs_without_one_row_per_image_are_refused(tmp_path):
    table = np.zeros((2, 7, 84), np.float32)
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Identity", ["table"], ["output0"])],
        "test",
        [info("images", TensorProto.FLOAT, [1, 3, 64, 64])],
        [info("output0", TensorProto.FLOAT, table.shape)],
        initializer=[numpy_helper.from_array(table, "table")],
    )
    path = tmp_path / "model.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)

    with pytest.raises(ModelError, match=r"one row per image of the 1 given.*\(2, 7, 84\)"):
        detect(path)
