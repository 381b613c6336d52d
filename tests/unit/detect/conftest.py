"""Small real models, built in place: their outputs encode objects that a test knows."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

_TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}


@pytest.fixture
def build_model(tmp_path):
    """Write a model that returns given arrays for every image that is not black, else zeros.

    `outputs` maps names to arrays without the batch axis; `batch`, and the sizes in `size`, may be
    text, which leaves them free.
    """

    def build(
        outputs,
        *,
        batch=1,
        size=(64, 64),
        dtype="float32",
        result_dtype="float32",
        metadata=None,
        channels_first=True,
        extra_inputs=(),
        name="model.onnx",
    ) -> Path:
        width, height = size
        shape = [batch, 3, height, width] if channels_first else [batch, height, width, 3]
        inputs = [helper.make_tensor_value_info("images", _TYPES[dtype], shape), *extra_inputs]
        nodes = [
            helper.make_node("Cast", ["images"], ["as_float"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMax", ["as_float"], ["brightest"], axes=[1, 2, 3], keepdims=1),
            helper.make_node("Sign", ["brightest"], ["lit"]),
        ]
        constants, results = [], []
        for key, array in outputs.items():
            integer = np.issubdtype(array.dtype, np.integer)
            kind = TensorProto.INT64 if integer else _TYPES[result_dtype]
            axes = f"{key}_axes"
            constants.append(
                numpy_helper.from_array(array[None].astype(np.float32), f"{key}_value")
            )
            constants.append(
                numpy_helper.from_array(np.array([-1] + [1] * array.ndim, np.int64), axes)
            )
            nodes += [
                helper.make_node("Reshape", ["lit", axes], [f"{key}_lit"]),
                helper.make_node("Mul", [f"{key}_value", f"{key}_lit"], [f"{key}_float"]),
                helper.make_node("Cast", [f"{key}_float"], [key], to=kind),
            ]
            results.append(helper.make_tensor_value_info(key, kind, [batch, *array.shape]))
        graph = helper.make_graph(nodes, "test", inputs, results, initializer=constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        helper.set_model_props(model, metadata or {})
        path = tmp_path / name
        onnx.save(model, path)
        return path

    return build


@pytest.fixture
def encode():
    """Return functions that encode objects as the outputs of each layout.

    An object is (centre x, centre y, width, height, confidence, class id) in pixels of an input
    of 64×64; there are three classes.
    """
    return _ENCODERS


def _cells():
    return [(x, y, s) for s in (8, 16, 32) for y in range(64 // s) for x in range(64 // s)]


def _yolox(objects):
    table = np.zeros((84, 8), np.float32)
    for index, (x, y, w, h, confidence, class_id) in enumerate(objects):
        row = 3 + 20 * index
        column, line, stride = _cells()[row]
        table[row, :4] = (
            x / stride - column,
            y / stride - line,
            np.log(w / stride),
            np.log(h / stride),
        )
        table[row, 4] = 0.96
        table[row, 5 + class_id] = confidence / 0.96
    return {"output": table}


def _yolov5(objects):
    table = np.zeros((252, 8), np.float32)
    for index, (*box, confidence, class_id) in enumerate(objects):
        table[7 + 50 * index, :4] = box
        table[7 + 50 * index, 4] = confidence / 0.98
        table[7 + 50 * index, 5 + class_id] = 0.98
    return {"output0": table}


def _yolov8(objects):
    table = np.zeros((7, 84), np.float32)
    for index, (*box, confidence, class_id) in enumerate(objects):
        table[:4, 5 + 20 * index] = box
        table[4 + class_id, 5 + 20 * index] = confidence
    return {"output0": table}


def _end_to_end(objects):
    table = np.zeros((300, 6), np.float32)
    for index, (x, y, w, h, confidence, class_id) in enumerate(objects):
        table[index] = x - w / 2, y - h / 2, x + w / 2, y + h / 2, confidence, class_id
    return {"output0": table}


def _detr(objects):
    boxes = np.full((300, 4), 0.5, np.float32)
    logits = np.full((300, 3), -9, np.float32)
    for index, (*box, confidence, class_id) in enumerate(objects):
        boxes[9 * index] = np.array(box) / 64
        logits[9 * index, class_id] = np.log(confidence / (1 - confidence))
    return {"pred_logits": logits, "pred_boxes": boxes}


def _rf_detr(objects):
    detr = _detr(objects)
    return {"dets": detr["pred_boxes"], "labels": detr["pred_logits"]}


def _detr_joined(objects):
    table = np.zeros((300, 7), np.float32)
    for index, (*box, confidence, class_id) in enumerate(objects):
        table[4 * index, :4] = np.array(box) / 64
        table[4 * index, 4 + class_id] = confidence
    return {"output0": table}


_ENCODERS = {
    "yolox": _yolox,
    "yolov5": _yolov5,
    "yolov8": _yolov8,
    "end2end": _end_to_end,
    "detr": _detr,
    "rf-detr": _rf_detr,
    "detr-joined": _detr_joined,
}
