"""Folding the Focus layer of YOLOX and early YOLOv5 into the convolution behind it.

Focus cuts an image into four of half the size, the pixels of even and odd rows and columns, and
stacks them as channels. A convolution of K×K over these is one of 2K×2K and twice the stride over
the image itself, with the same weights in other places: the same sums, without cutting and
stacking. (YOLOv5 made the same change in its release 6.0, for newly trained models.)
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

__all__ = ["fold_focus", "folded"]

_PHASES = 4
_ROWS, _COLUMNS = 2, 3
_TO_THE_END = 2**31 - 1


def folded(path: Path) -> bytes | None:
    """Read a model file and fold its Focus layer; None if it has none that can be folded.

    A file that is no model has none, and neither has one whose weights are in other files.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(b"Slice") < 0:  # spares importing onnx
            return None
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(path), load_external_data=False)
    except DecodeError:
        return None
    is_elsewhere = onnx.external_data_helper.uses_external_data
    if any(map(is_elsewhere, model.graph.initializer)) or not fold_focus(model):
        return None
    return bytes(model.SerializeToString())


def fold_focus(model: ModelProto) -> bool:
    """Fold the Focus layer of a model, in place; return whether there was one.

    Outputs change by rounding only, since the same products are summed in another order.
    """
    graph = model.graph
    parts = _Parts.of(graph)
    for node in graph.node:
        if (focus := _find(node, parts)) is not None:
            _fold(node, focus, graph)
            _prune(graph)
            return True
    return False


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a graph consists of.

    Attributes:
        inputs: Its inputs, with their sizes as far as they are fixed.
        producers: What makes each value.
        constants: Values that are known, unread.
    """

    inputs: Mapping[str, tuple[int, ...]]
    producers: Mapping[str, NodeProto]
    constants: Mapping[str, TensorProto]

    @classmethod
    def of(cls, graph: GraphProto) -> _Parts:
        constants = {entry.name: entry for entry in graph.initializer}
        for node in graph.node:
            value = _attributes(node).get("value")
            if node.op_type == "Constant" and value is not None:
                constants[node.output[0]] = value
        return cls(
            inputs={
                entry.name: tuple(d.dim_value for d in entry.type.tensor_type.shape.dim)
                for entry in graph.input
                if entry.name not in constants
            },
            producers={output: node for node in graph.node for output in node.output},
            constants=constants,
        )

    def read(self, name: str) -> NDArray[Any] | None:
        """Read a constant; None if the value is not known."""
        from onnx import numpy_helper

        found = self.constants.get(name)
        return None if found is None else numpy_helper.to_array(found)


class _Focus(NamedTuple):
    """A Focus layer and the weights behind it.

    Attributes:
        image: What it cuts.
        phases: First row and column of each part.
        weights: (outputs, parts * channels, K, L).
    """

    image: str
    phases: tuple[tuple[int, int], ...]
    weights: NDArray[Any]


def _find(node: NodeProto, parts: _Parts) -> _Focus | None:
    """Find the Focus layer before a node; None if there is none."""
    if node.op_type != "Conv":
        return None
    attributes = _attributes(node)
    plain = {"auto_pad": (b"NOTSET",), "group": (1,), "dilations": ([1, 1],)}
    if any(name in attributes and attributes[name] not in ok for name, ok in plain.items()):
        return None
    concat = parts.producers.get(node.input[0])
    if concat is None or concat.op_type != "Concat" or _attributes(concat).get("axis") != 1:
        return None
    cuts = [_trace(name, parts) for name in concat.input]
    images = {cut[0] for cut in cuts if cut is not None}
    phases = tuple(cut[1] for cut in cuts if cut is not None)
    if not len(cuts) == len(set(phases)) == _PHASES or len(images) != 1:
        return None
    weights = parts.read(node.input[1])
    return None if weights is None else _Focus(images.pop(), phases, weights)


def _trace(name: str, parts: _Parts) -> tuple[str, tuple[int, int]] | None:
    """Follow a value back to an input of the graph, through slices that take every second pixel.

    Returns:
        The input, and the first row and column; None if there is anything else on the way.
    """
    begins: dict[int, int] = {}
    while name not in parts.inputs:
        node = parts.producers.get(name)
        if node is None or node.op_type != "Slice" or len(node.input) != 5:
            return None
        known = [values for each in node.input[1:] if (values := parts.read(each)) is not None]
        if len(known) != 4 or any(values.shape != known[0].shape for values in known):
            return None
        for begin, end, axis, step in zip(*(values.flat for values in known), strict=True):
            if axis in begins or axis not in (_ROWS, _COLUMNS) or begin not in (0, 1):
                return None
            if step != 2 or end < _TO_THE_END:
                return None
            begins[int(axis)] = int(begin)
        name = node.input[0]
    sizes = parts.inputs[name]
    if len(begins) != 2 or len(sizes) != 4 or sizes[_ROWS] % 2 or sizes[_COLUMNS] % 2:
        return None
    return name, (begins[_ROWS], begins[_COLUMNS])


def _spread(focus: _Focus) -> NDArray[Any]:
    """Put the weights for each part where its pixels are: (outputs, channels, 2K, 2L)."""
    weights = focus.weights
    outputs, stacked, *kernel = weights.shape
    channels = stacked // _PHASES
    spread = np.empty((outputs, channels, 2 * kernel[0], 2 * kernel[1]), weights.dtype)
    for part, (row, column) in enumerate(focus.phases):
        spread[:, :, row::2, column::2] = weights[:, part * channels : (part + 1) * channels]
    return spread


def _fold(node: NodeProto, focus: _Focus, graph: GraphProto) -> None:
    """Make a convolution one over the image; its weights become part of the graph."""
    from onnx import helper, numpy_helper

    weights = _spread(focus)
    name = f"{node.input[1]}/focus"
    graph.initializer.append(numpy_helper.from_array(weights, name))
    attributes = _attributes(node)
    for doubled, default in (("strides", [1, 1]), ("pads", [0, 0, 0, 0])):
        attributes[doubled] = [2 * n for n in attributes.get(doubled, default)]
    attributes["kernel_shape"] = list(weights.shape[2:])
    inputs = [focus.image, name, *node.input[2:]]
    replacement = helper.make_node("Conv", inputs, list(node.output), name=node.name, **attributes)
    node.CopyFrom(replacement)


def _prune(graph: GraphProto) -> None:
    """Remove nodes and weights that no output depends on; a graph lists its nodes in order."""
    needed = {output.name for output in graph.output}
    for place, node in reversed(list(enumerate(graph.node))):
        if needed.isdisjoint(node.output):
            del graph.node[place]
        else:
            needed.update(_used_by(node))
    for place, entry in reversed(list(enumerate(graph.initializer))):
        if entry.name not in needed:
            del graph.initializer[place]


def _used_by(node: NodeProto) -> Iterator[str]:
    """Name what a node uses, and what the graphs inside it use."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            yield from (output.name for output in graph.output)
            for inner in graph.node:
                yield from _used_by(inner)


def _attributes(node: NodeProto) -> dict[str, Any]:
    from onnx import helper

    return {each.name: helper.get_attribute_value(each) for each in node.attribute}
