import math

import pytest

from sightline.graph.modes import Mode, StreamPolicy


def test_a_stream_keeps_every_frame_unless_told_otherwise():
    assert StreamPolicy().mode is Mode.EVERY_FRAME


def test_a_mode_is_found_by_the_word_that_a_pipeline_file_uses():
    assert [Mode(word) for word in ("every-frame", "auto", "freshest")] == list(Mode)


@pytest.mark.parametrize("staleness_s", [0, -1, math.nan, math.inf, 1e300])
def test_a_staleness_that_is_no_length_of_time_is_refused(staleness_s):
    with pytest.raises(ValueError, match="staleness_s must be above 0"):
        StreamPolicy(mode=Mode.AUTO, staleness_s=staleness_s)


def test_a_mode_that_is_only_a_word_is_refused():
    with pytest.raises(TypeError, match="must be a Mode, but is 'auto'"):
        StreamPolicy(mode="auto")
