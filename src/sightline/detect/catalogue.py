"""The models that Sightline can fetch by name.

Only models whose licence allows any use, and whose outputs the layouts here can decode. Sizes and
digests are those of the publishers' files; what is fetched is checked against them.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from sightline.detect.class_names import COCO_80
from sightline.detect.layouts.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CATALOGUE", "DEFAULT_MODEL", "CatalogueEntry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """A model that can be fetched.

    Attributes:
        name: What users call it.
        summary: What it is good for, in a few words.
        file_name: Name of the file in the cache and on mirrors.
        urls: Where to fetch it, in this order.
        size_bytes: Size of the file.
        sha256: Digest of the file, 64 hexadecimal digits.
        licence: SPDX identifier.
        source: Page of the publisher.
        layout: Layout of its outputs.
        class_names: Names by class id.
    """

    name: str
    summary: str
    file_name: str
    urls: tuple[str, ...]
    size_bytes: int
    sha256: str
    licence: str
    source: str
    layout: Layout
    class_names: tuple[str, ...]


_YOLOX_RELEASE = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0"
_ZOO_MEDIA = (
    "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/object_detection_yolox"
)
_ZOO_HUB = "https://huggingface.co/opencv/object_detection_yolox/resolve/main"


def _yolox(
    name: str, summary: str, *, urls: tuple[str, ...], size_bytes: int, sha256: str
) -> CatalogueEntry:
    return CatalogueEntry(
        name=name,
        summary=summary,
        file_name=urls[0].rpartition("/")[2],
        urls=urls,
        size_bytes=size_bytes,
        sha256=sha256,
        licence="Apache-2.0",
        source="https://github.com/Megvii-BaseDetection/YOLOX",
        layout=Layout.YOLOX,
        class_names=COCO_80,
    )


# The OpenCV zoo's demonstration feeds RGB to its YOLOX-S; the file is the authors' own, bit for
# bit, and they trained and evaluate with BGR, so BGR it is.
_ENTRIES = (
    _yolox(
        "yolox-s",
        "YOLOX-S trained on COCO, 80 classes: the default for real video",
        urls=(
            f"{_ZOO_HUB}/object_detection_yolox_2022nov.onnx",
            f"{_ZOO_MEDIA}/object_detection_yolox_2022nov.onnx",
            f"{_YOLOX_RELEASE}/yolox_s.onnx",
        ),
        size_bytes=35_858_002,
        sha256="c5c2d13e59ae883e6af3b45daea64af4833a4951c92d116ec270d9ddbe998063",
    ),
    _yolox(
        "yolox-s-int8",
        "YOLOX-S quantised to 8-bit integers: a quarter of the size",
        urls=(
            f"{_ZOO_HUB}/object_detection_yolox_2022nov_int8.onnx",
            f"{_ZOO_MEDIA}/object_detection_yolox_2022nov_int8.onnx",
        ),
        size_bytes=9_079_452,
        sha256="01a3b0f400b30bc1e45230e991b2e499ab42622485a330021947333fbaf03935",
    ),
    _yolox(
        "yolox-tiny",
        "YOLOX-Tiny trained on COCO, 80 classes: faster, finds less",
        urls=(f"{_YOLOX_RELEASE}/yolox_tiny.onnx",),
        size_bytes=20_219_662,
        sha256="427cc366d34e27ff7a03e2899b5e3671425c262ea2291f88bb942bc1cc70b0f7",
    ),
    _yolox(
        "yolox-nano",
        "YOLOX-Nano trained on COCO, 80 classes: the fastest, finds least",
        urls=(f"{_YOLOX_RELEASE}/yolox_nano.onnx",),
        size_bytes=3_659_407,
        sha256="c789161ed43c8269fcd4e67c67eeeb4e80c622da2eb296a20bc6007bd18a0b7d",
    ),
)

CATALOGUE: Mapping[str, CatalogueEntry] = MappingProxyType(
    {entry.name: entry for entry in _ENTRIES}
)
"""All entries by name."""

DEFAULT_MODEL = "yolox-s"
"""What to use for real video if nothing else is asked for."""
