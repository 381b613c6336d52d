"""What goes to chunks and what to the final pass."""

from __future__ import annotations

import pytest

from sightline.jobs.split import split
from sightline.pipeline.per_object import PerObject
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.stage import Stage
from sightline.pipeline.stages import Detect, Draw, Track


class Look(Stage):
    changes_image = False

    def process(self, frame):
        return frame


class Blur(Stage):
    def process(self, frame):
        return frame


def detect():
    return Detect("demo")


def names(stages):
    return [name for name, _ in stages]


CASES = [
    ([detect(), Track()], ["mot"], ["detect"], False),
    ([detect(), Track()], ["mot", "video"], ["detect"], True),
    ([detect(), Look(), Track()], [], ["detect", "look"], False),
    ([detect(), PerObject(Look()), Track()], [], ["detect", "per-object"], False),
    ([detect(), Track(), PerObject(Look())], [], ["detect"], True),
    ([detect(), Track(), Draw()], [], ["detect"], True),
    ([detect(), Track(), Draw(trails=9)], [], ["detect"], True),
    ([Blur(), detect(), Track()], ["mot"], ["blur", "detect"], False),
    ([Blur(), detect(), Track()], ["video"], [], True),
    ([detect(), Blur(), Track()], ["video"], ["detect"], True),
    ([Look(), Blur(), Look()], [], ["look", "blur", "look-2"], False),
    ([Detect("motion"), Track()], [], [], True),
    ([Track()], [], [], False),
]


@pytest.mark.parametrize(("stages", "outputs", "in_chunks", "reads_images"), CASES)
def test_stages_go_to_chunks_as_far_as_they_may(stages, outputs, in_chunks, reads_images):
    parts = split(Pipeline(stages), outputs=outputs)
    assert names(parts.chunk_stages) == in_chunks
    assert parts.final_reads_images is reads_images
    assert [stage for _, stage in (*parts.chunk_stages, *parts.final_stages)] == stages


def test_stages_keep_the_names_that_they_have_in_the_pipeline():
    parts = split(Pipeline([Look(), Track(), Look()]))
    assert names(parts.final_stages) == ["track", "look-2"]
