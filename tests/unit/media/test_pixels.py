"""Turning and mirroring images."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.media.pixels import upright

IMAGE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        ((False, None), IMAGE),
        ((False, 1), IMAGE[:, ::-1]),
        ((False, 0), IMAGE[::-1]),
        ((False, -1), np.rot90(IMAGE, 2)),
        ((True, None), IMAGE.transpose(1, 0, 2)),
        ((True, 0), np.rot90(IMAGE)),
        ((True, 1), np.rot90(IMAGE, 3)),
        ((True, -1), np.rot90(IMAGE, 2).transpose(1, 0, 2)),
    ],
)
def test_images_are_transposed_then_mirrored(orientation, expected):
    assert np.array_equal(upright(IMAGE, orientation), expected)
