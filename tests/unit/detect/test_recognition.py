import numpy as np
import pytest

from sightline.detect.layouts.grid import cell_count, cell_positions, find_strides
from sightline.detect.layouts.layout import Layout, Signature
from sightline.detect.layouts.recognition import recognise
from sightline.detect.preprocess import InputFormat
from sightline.errors import ModelError

COCO = tuple(f"class {i}" for i in range(80))


def signature(*, size=640, names=(), metadata=None, **outputs):
    height, width = (size, size) if isinstance(size, int) else size
    image = InputFormat(
        name="images", batch=1, height=height, width=width, dtype=np.dtype("float32")
    )
    return Signature(image=image, outputs=outputs, metadata=metadata or {}, class_names=names)


KNOWN = {
    "YOLOX-Nano": (signature(size=416, output=(1, 3549, 85)), Layout.YOLOX),
    "YOLOX-S": (signature(output=(1, 8400, 85)), Layout.YOLOX),
    "YOLOX of one class": (signature(output=(1, 8400, 6)), Layout.YOLOX),
    "YOLOX on a wide input": (signature(size=(480, 640), output=(1, 6300, 85)), Layout.YOLOX),
    "YOLOv5s": (signature(names=COCO, output0=(1, 25200, 85)), Layout.YOLOV5),
    "YOLOv5s without names": (signature(output0=(1, 25200, 85)), Layout.YOLOV5),
    "YOLOv5 of one class": (signature(output0=(1, 25200, 6)), Layout.YOLOV5),
    "YOLOv5s6": (signature(size=1280, output0=(1, 102000, 85)), Layout.YOLOV5),
    "YOLOv7 with its feature maps": (
        signature(output=(1, 25200, 85), a=(1, 3, 80, 80, 85), b=(1, 3, 40, 40, 85)),
        Layout.YOLOV5,
    ),
    "YOLOv8n": (signature(names=COCO, output0=(1, 84, 8400)), Layout.YOLOV8),
    "YOLOv8 of one class": (signature(output0=(1, 5, 8400)), Layout.YOLOV8),
    "YOLOv8 of two classes": (signature(output0=(1, 6, 8400)), Layout.YOLOV8),
    "YOLOv8 with four levels": (signature(output0=(1, 84, 34000)), Layout.YOLOV8),
    "YOLOv8 transposed": (signature(names=COCO, output0=(1, 8400, 84)), Layout.YOLOV8),
    "YOLOv8 on an odd grid": (signature(names=COCO, output0=(1, 84, 8001)), Layout.YOLOV8),
    "YOLOv5 on an odd grid": (signature(names=COCO, output0=(1, 8001, 85)), Layout.YOLOV5),
    "YOLOv10n": (signature(output0=(1, 300, 6)), Layout.END_TO_END),
    "YOLOv10 of one class": (signature(names=("a",), output0=(1, 300, 6)), Layout.END_TO_END),
    "a model with built-in suppression, blank": (signature(output0=(1, 0, 6)), Layout.END_TO_END),
    "YOLO26": (
        signature(size=160, metadata={"end2end": "True"}, output0=(1, 100, 6)),
        Layout.END_TO_END,
    ),
    "RT-DETR of Hugging Face": (
        signature(logits=(1, 300, 80), pred_boxes=(1, 300, 4)),
        Layout.DETR,
    ),
    "D-FINE of four classes": (
        signature(pred_logits=(1, 300, 4), pred_boxes=(1, 300, 4)),
        Layout.DETR,
    ),
    "RF-DETR": (signature(size=560, dets=(1, 300, 4), labels=(1, 300, 91)), Layout.RF_DETR),
    "RT-DETR of Ultralytics": (
        signature(
            names=("a", "b"),
            metadata={"description": "Ultralytics rtdetr-l model"},
            output0=(1, 300, 6),
        ),
        Layout.DETR_JOINED,
    ),
    "D-FINE deployed": (
        signature(labels=(1, 300), boxes=(1, 300, 4), scores=(1, 300)),
        Layout.DETR_DEPLOY,
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_model_is_recognised(name):
    given, layout = KNOWN[name]

    assert recognise(given)[0] is layout


UNKNOWN = {
    "a classifier": signature(logits=(1, 1000)),
    "a segmenter": signature(output0=(1, 116, 8400), output1=(1, 32, 160, 160)),
    "a table that fits nothing": signature(output0=(1, 1234, 85)),
    "outputs per level": signature(a=(1, 85, 80, 80), b=(1, 85, 40, 40), c=(1, 85, 20, 20)),
    "a pair that does not match": signature(boxes=(1, 300, 4), scores=(1, 200, 80)),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_model_is_refused_with_its_shapes_and_the_layouts_there_are(name):
    given = UNKNOWN[name]

    with pytest.raises(ModelError) as caught:
        recognise(given)

    assert given.describe_outputs() in str(caught.value)
    assert all(layout.value in str(caught.value) for layout in Layout)


def test_a_model_for_another_task_is_refused():
    with pytest.raises(ModelError, match="task 'segment'"):
        recognise(signature(metadata={"task": "segment"}, output0=(1, 116, 8400)))


def test_cells_are_counted_with_the_last_ones_that_reach_over_the_edge():
    assert cell_count((100, 100), (8,)) == 13 * 13
    assert find_strides((100, 100), 13 * 13 + 7 * 7) == (8, 16)


def test_cells_are_listed_level_by_level_and_row_by_row():
    cells = cell_positions((16, 32), (8, 16))

    assert cells[:5].tolist() == [[0, 0, 8], [1, 0, 8], [2, 0, 8], [3, 0, 8], [0, 1, 8]]
    assert cells[8:].tolist() == [[0, 0, 16], [1, 0, 16]]
