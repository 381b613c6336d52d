"""A feed, and frames for it."""

from fractions import Fraction

import numpy as np
import pytest

from sightline.frame import Frame
from sightline.live.feed import Feed
from sightline.stream import StreamInfo


@pytest.fixture
def stream():
    return StreamInfo(name="gate", width=64, height=48, time_base=Fraction(1, 25))


@pytest.fixture
def feed(stream):
    return Feed(stream)


@pytest.fixture
def make_frame():
    def make(seq, *, size=(64, 48), value=128):
        return Frame(image=np.full((size[1], size[0], 3), value, np.uint8), seq=seq, pts=seq)

    return make
