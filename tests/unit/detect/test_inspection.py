import hashlib

import numpy as np
import pytest

from sightline.detect.inspection import inspect_model
from sightline.detect.layouts.layout import Layout
from sightline.errors import ModelError


def test_a_model_file_is_described(build_model, encode):
    metadata = {"names": "['cat', 'dog', 'cow']", "author": "me"}
    path = build_model(encode["yolov8"]([]), batch="batch", metadata=metadata)

    info = inspect_model(path)

    assert (info.layout, info.class_names) == (Layout.YOLOV8, ("cat", "dog", "cow"))
    assert info.reason == "84 grid cells on the last axis"
    assert (info.input_size, info.metadata) == ((64, 64), metadata)
    assert [str(entry) for entry in info.inputs] == ["images float32 (batch, 3, 64, 64)"]
    assert [str(entry) for entry in info.outputs] == ["output0 float32 (batch, 7, 84)"]
    assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert info.size_bytes == path.stat().st_size


def test_outputs_that_are_not_understood_are_described_with_the_reason(build_model):
    info = inspect_model(build_model({"logits": np.zeros(1000, np.float32)}))

    assert info.layout is None
    assert "logits (1, 1000)" in info.reason


def test_a_file_that_is_no_model_is_an_error(tmp_path):
    path = tmp_path / "text.onnx"
    path.write_text("hello")

    with pytest.raises(ModelError, match=r"text\.onnx"):
        inspect_model(path)
