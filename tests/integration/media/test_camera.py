"""Capture devices. FFmpeg's `lavfi` device stands for a camera: opened and read the same way."""

from __future__ import annotations

from contextlib import closing
from itertools import islice

import numpy as np
import pytest

from sightline.errors import MediaError
from sightline.media.camera import open_device
from sightline.media.container import Origin
from sightline.media.opening import open_source
from sightline.media.options import SourceOptions

ORIGIN = Origin(label="camera 0", name="camera-0", live=True)


def test_a_device_yields_frames_until_it_is_closed():
    with closing(
        open_device("lavfi", "testsrc=size=64x48:rate=10", origin=ORIGIN, options=SourceOptions())
    ) as source:
        frames = source.frames()
        first = list(islice(frames, 25))
        source.close()
        assert list(frames) == []
    assert [frame.seq for frame in first] == list(range(25))
    assert [frame.time_s for frame in first] == pytest.approx(np.arange(25) / 10)
    assert (source.info.name, source.info.width, source.info.height) == ("camera-0", 64, 48)
    assert source.info.frame_count is None
    assert source.info.duration_s is None
    assert source.info.live


def test_size_and_rate_are_asked_for():
    # This device has no such settings, so asking for them must not stop it either.
    options = SourceOptions(camera_size=(64, 48), camera_rate=5)
    with closing(open_device("lavfi", "testsrc", origin=ORIGIN, options=options)) as source:
        assert next(source.frames()).image.shape == (240, 320, 3)


@pytest.mark.parametrize("spec", [97, "97"])
def test_a_missing_camera_is_an_error_that_names_it(spec):
    with pytest.raises(MediaError, match=r"^cannot open camera 97 \(.*97\): ") as caught:
        open_source(spec)
    assert "\n" not in str(caught.value)


def test_a_missing_interface_is_an_error():
    with pytest.raises(MediaError, match="this build of PyAV has no such-interface"):
        open_device("such-interface", "0", origin=ORIGIN, options=SourceOptions())


def test_a_camera_has_no_past_to_start_from():
    with pytest.raises(MediaError, match="cannot open camera 97: start_s and end_s are for rec"):
        open_source(97, options=SourceOptions(end_s=3))
