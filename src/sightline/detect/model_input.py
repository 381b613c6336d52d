"""What a model wants for input: found among its declared inputs, its free size settled."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import numpy as np

from sightline.detect.preprocess import InputFormat
from sightline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sightline.detect.layouts.layout import TensorInfo

__all__ = ["FRAME_SIZE_INPUT", "resolve_input"]

FRAME_SIZE_INPUT = "orig_target_sizes"
"""The second input of models that scale their boxes themselves: int64 (B, 2) width, height."""

_DEFAULT_SIZE = 640


def resolve_input(
    inputs: Sequence[TensorInfo],
    metadata: Mapping[str, str],
    *,
    size: tuple[int, int] | None = None,
) -> InputFormat:
    """Find the image input and settle its size.

    Raises:
        ModelError: The inputs are not those of a detector, or `size` contradicts a fixed one.
    """
    image = _image_input(inputs)
    shape = image.shape
    channels_first = shape[3] != 3 or shape[1] == 3
    channels = shape[1] if channels_first else shape[3]
    colour = channels == 3 or isinstance(channels, str)
    if not colour or image.dtype not in {"float32", "float16", "uint8"}:
        raise ModelError(
            "the image input must be float32, float16 or uint8 with 3 channels, "
            f"but the model has {image}"
        )
    height, width = _settle_size(shape[2:] if channels_first else shape[1:3], metadata, size)
    return InputFormat(
        name=image.name,
        batch=shape[0] if isinstance(shape[0], int) else None,
        height=height,
        width=width,
        dtype=np.dtype(image.dtype),
        channels_first=channels_first,
    )


def _image_input(inputs: Sequence[TensorInfo]) -> TensorInfo:
    others = [entry for entry in inputs if entry.name != FRAME_SIZE_INPUT]
    if len(others) != 1 or len(others[0].shape) != 4:
        raise ModelError(
            "a detector needs one input of four dimensions, the image, and at most "
            f"{FRAME_SIZE_INPUT} beside it, but the model has {', '.join(map(str, inputs))}"
        )
    return others[0]


def _settle_size(
    declared: tuple[int | str, ...], metadata: Mapping[str, str], size: tuple[int, int] | None
) -> tuple[int, int]:
    """Return (height, width): what the model fixes, else `size`, else what its metadata say."""
    if size is not None:
        wanted = size[1], size[0]
        pairs = zip(declared, wanted, strict=True)
        if any(isinstance(fixed, int) and fixed != asked for fixed, asked in pairs):
            raise ModelError(
                f"the model's input is {declared[1]}x{declared[0]}, "
                f"so it cannot be {size[0]}x{size[1]}"
            )
    else:
        wanted = _size_in(metadata)
    height, width = (
        fixed if isinstance(fixed, int) else free
        for fixed, free in zip(declared, wanted, strict=True)
    )
    return height, width


def _size_in(metadata: Mapping[str, str]) -> tuple[int, int]:
    text = metadata.get("imgsz")
    if text is None:
        return _DEFAULT_SIZE, _DEFAULT_SIZE
    try:
        value = ast.literal_eval(text)
        height, width = (value, value) if isinstance(value, int) else value
        return int(height), int(width)
    except (ValueError, SyntaxError, TypeError) as error:
        raise ModelError(
            f"cannot read the input size {text!r} in the model's metadata; give the size yourself"
        ) from error
