"""From the trained network to the ONNX file that ships in the package."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import onnx
import torch
from network import STRIDES, DemoNetwork
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["export"]

_OPSET = 17


class _Output(nn.Module):
    """The network with the output of YOLOv8: (B, 4 + C, N), centre, size and class scores."""

    def __init__(self, network: DemoNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        boxes, logits = self.network(images)
        low, high = boxes[:, :2], boxes[:, 2:]
        return torch.cat([(low + high) / 2, high - low, logits.sigmoid()], 1)


def export(
    network: DemoNetwork, path: Path, *, size: tuple[int, int], class_names: Sequence[str]
) -> None:
    """Write the network as ONNX, normalisation folded into the convolutions.

    Args:
        network: Trained; it is put into evaluation mode.
        path: The file to write.
        size: Height and width of the input.
        class_names: Names by class id.
    """
    with warnings.catch_warnings():
        # The exporter by tracing is deprecated, but needs no package beside torch.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Output(network).eval(),
            (torch.zeros(1, 3, *size),),
            str(path),
            input_names=["images"],
            output_names=["output0"],
            dynamic_axes={"images": {0: "batch"}, "output0": {0: "batch"}},
            opset_version=_OPSET,
            dynamo=False,
        )
    model = onnx.load(path)
    # Tracing loses the sizes behind the concatenation.
    for dimension, length in zip(
        model.graph.output[0].type.tensor_type.shape.dim[1:],
        (4 + len(class_names), network.centres.shape[1]),
        strict=True,
    ):
        dimension.dim_value = length
    metadata = {
        "author": "The Sightline authors",
        "license": "Apache-2.0",
        "description": "Finds the people, cars and bicycles of Sightline's generated scenes",
        "task": "detect",
        "stride": str(max(STRIDES)),
        "imgsz": str(list(size)),
        "names": str(dict(enumerate(class_names))),
    }
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    onnx.save(model, path)
