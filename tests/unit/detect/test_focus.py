import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from sightline.detect.focus import fold_focus, folded

PHASES = [(0, 0), (1, 0), (0, 1), (1, 1)]  # as YOLOX stacks them
END = 2**63 - 1
SIZE = (3, 12, 20)


def cut(source, target, *, axis, begin, step=2, end=END, weights):
    names = [f"{target}/{what}" for what in ("starts", "ends", "axes", "steps")]
    for name, value in zip(names, (begin, end, axis, step), strict=True):
        weights.append(numpy_helper.from_array(np.array([value]), name))
    return helper.make_node("Slice", [source, *names], [target])


def focus_model(
    *, phases=PHASES, kernel=(3, 3), concat_axis=1, step=2, end=END, shows_stack=False, **attributes
):
    """Build slices, a concatenation and a convolution of 6 outputs, with noise as weights."""
    rng = np.random.default_rng(7)
    weights, nodes = [], []
    for part, (row, column) in enumerate(phases):
        cuts = {"step": step, "end": end, "weights": weights}
        nodes.append(cut("images", f"rows{part}", axis=2, begin=row, **cuts))
        nodes.append(cut(f"rows{part}", f"part{part}", axis=3, begin=column, **cuts))
    parts = [f"part{part}" for part in range(len(phases))]
    nodes.append(helper.make_node("Concat", parts, ["stack"], axis=concat_axis))
    channels = SIZE[0] * len(phases) // attributes.get("group", 1)
    shape = (6, channels, *kernel)
    weights.append(numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), "weights"))
    weights.append(numpy_helper.from_array(rng.normal(size=6).astype(np.float32), "bias"))
    nodes.append(helper.make_node("Conv", ["stack", "weights", "bias"], ["out"], **attributes))
    outputs = ["out", "stack"] if shows_stack else ["out"]
    graph = helper.make_graph(
        nodes,
        "focus",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, *SIZE])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 4) for name in outputs],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model):
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    images = np.random.default_rng(1).uniform(0, 255, (1, *SIZE)).astype(np.float32)
    return session.run(None, {"images": images})


def kinds(model):
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize(
    "options",
    [
        {"pads": [1, 1, 1, 1]},
        {"pads": [2, 0, 1, 3], "strides": [2, 1]},
        {"kernel": (1, 5)},
        {"phases": [(1, 1), (0, 0), (1, 0), (0, 1)], "kernel": (2, 3)},
        {"auto_pad": "NOTSET", "group": 1, "dilations": [1, 1]},
    ],
    ids=["yolox", "uneven", "flat kernel", "other order", "defaults written out"],
)
def test_a_folded_model_computes_the_same_without_cutting(options):
    model = focus_model(**options)
    expected = run(model)

    assert fold_focus(model)

    assert kinds(model) == ["Conv"]
    np.testing.assert_allclose(run(model)[0], expected[0], rtol=1e-4, atol=1e-2)
    assert {entry.name for entry in model.graph.initializer} == {"weights/focus", "bias"}


def test_what_is_used_elsewhere_stays():
    model = focus_model(shows_stack=True)
    expected = run(model)

    assert fold_focus(model)

    assert kinds(model).count("Slice") == 8
    for value, before in zip(run(model), expected, strict=True):
        np.testing.assert_allclose(value, before, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize(
    "options",
    [
        {"step": 3},
        {"end": 8},
        {"phases": [(0, 0), (0, 0), (0, 1), (1, 1)]},
        {"phases": [(0, 0), (1, 0), (0, 1)]},
        {"phases": [(0, 0), (2, 0), (0, 2), (2, 2)], "end": 10},
        {"dilations": [2, 2]},
        {"group": 2},
        {"auto_pad": "SAME_UPPER"},
        {"concat_axis": 2},
    ],
    ids=str,
)
def test_what_only_looks_like_a_focus_layer_stays_as_it_is(options):
    model = focus_model(**options)
    before = model.SerializeToString()

    assert not fold_focus(model)

    assert model.SerializeToString() == before


def test_a_file_is_read_and_folded(tmp_path):
    path = tmp_path / "focus.onnx"
    onnx.save(focus_model(), path)

    content = folded(path)

    assert content is not None
    assert kinds(onnx.load_from_string(content)) == ["Conv"]


@pytest.mark.parametrize("content", [b"Slice, but no model", b"neither"])
def test_a_file_that_is_no_model_is_left_to_the_runtime(content, tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)

    assert folded(path) is None


def test_weights_in_other_files_are_left_to_the_runtime(tmp_path):
    path = tmp_path / "outside.onnx"
    onnx.save(
        focus_model(), path, save_as_external_data=True, location="weights.bin", size_threshold=0
    )

    assert folded(path) is None
