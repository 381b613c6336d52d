"""An ONNX file as a function from images to arrays: its inputs, its outputs, and running it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.detect.digest import sha256_of
from sightline.detect.layouts.layout import TensorInfo
from sightline.detect.model_input import FRAME_SIZE_INPUT, resolve_input
from sightline.detect.onnx_runtime import (
    Provider,
    ThreadPlan,
    open_session,
    runtime_error,
)
from sightline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sightline.detect.preprocess import InputFormat

__all__ = ["OnnxModel"]

_DTYPES = {"tensor(float)": "float32", "tensor(double)": "float64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxModel:
    """A model file that is loaded and can be run by several threads at once.

    Attributes:
        path: The file.
        sha256: Digest of the file.
        session: The `onnxruntime.InferenceSession`.
        provider: What it runs on.
        inputs: As declared.
        outputs: As declared.
        metadata: Custom metadata.
        image: The image input, without free dimensions except the batch.
    """

    path: Path
    sha256: str
    session: Any
    provider: Provider
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    metadata: Mapping[str, str]
    image: InputFormat

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        providers: tuple[Provider, ...],
        plan: ThreadPlan,
        size: tuple[int, int] | None = None,
    ) -> OnnxModel:
        """Load a model file.

        Args:
            path: The file.
            providers: What to run it on, in turn.
            plan: How to use the cores.
            size: (width, height) of the input where the model leaves it free; None: as the
                metadata say, else 640×640.

        Raises:
            ModelError: The file cannot be loaded, or its inputs are not those of a detector.
        """
        session, provider = open_session(path, providers=providers, plan=plan)
        inputs = _tensors(session.get_inputs())
        metadata = dict(session.get_modelmeta().custom_metadata_map)
        return cls(
            path=path,
            sha256=sha256_of(path),
            session=session,
            provider=provider,
            inputs=inputs,
            outputs=_tensors(session.get_outputs()),
            metadata=metadata,
            image=resolve_input(inputs, metadata, size=size),
        )

    def run(
        self, tensor: NDArray[Any], *, outputs: Sequence[str], frame_size: tuple[int, int]
    ) -> list[NDArray[Any]]:
        """Run the model.

        Args:
            tensor: Images as `image` says.
            outputs: Names of the outputs to return.
            frame_size: (width, height) of the frames, for models that scale boxes themselves.

        Raises:
            ModelError: The run failed.
        """
        feed = {self.image.name: tensor}
        if any(entry.name == FRAME_SIZE_INPUT for entry in self.inputs):
            feed[FRAME_SIZE_INPUT] = np.tile(np.array(frame_size, np.int64), (len(tensor), 1))
        try:
            results: list[NDArray[Any]] = self.session.run(list(outputs), feed)
        except Exception as error:  # the runtime's exceptions have no base of their own
            raise ModelError(
                f"the model {self.path} failed on an input of shape {tensor.shape}: "
                f"{runtime_error(error)}"
            ) from error
        return results

    def measure_outputs(self) -> dict[str, tuple[int, ...]]:
        """Run once on a black image and report the shape of every output.

        What a model declares may leave any dimension free; what it returns does not. The run also
        warms the runtime up, and what cannot run fails here, before the first frame.
        """
        image = self.image
        tensor = np.zeros(image.shape(image.batch or 1), image.dtype)
        names = [output.name for output in self.outputs]
        results = self.run(tensor, outputs=names, frame_size=(image.width, image.height))
        return {name: result.shape for name, result in zip(names, results, strict=True)}


def _tensors(nodes: Sequence[Any]) -> tuple[TensorInfo, ...]:
    return tuple(
        TensorInfo(
            name=node.name,
            shape=tuple(n if isinstance(n, int) else str(n or "?") for n in node.shape),
            dtype=_DTYPES.get(node.type, node.type.removeprefix("tensor(").removesuffix(")")),
        )
        for node in nodes
    )
