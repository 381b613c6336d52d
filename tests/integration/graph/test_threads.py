"""Handlers share the processors, also those that OpenCV uses."""

import pytest
from tests.graph_stages import Numbered, Threads
from tests.graph_witness import Notes

from sightline.processors import usable_cores

LARGE = (1000, 1000, 3)


def threads(graphs, stage, source, handlers):
    """Run a stage on a source; say how many threads it might use on each frame."""
    notes = Notes()
    graphs.run([stage], [source], [notes], handlers=handlers)
    return [data["threads"] for data in notes.data(source.info.name)]


def test_small_images_get_one_thread(graphs):
    assert threads(graphs, Threads(), Numbered("a", 20), 1) == [1] * 20


@pytest.mark.parametrize("handlers", [1, 2])
def test_large_images_get_the_handlers_share_of_the_processors(graphs, handlers):
    share = max(1, usable_cores() // handlers)
    assert threads(graphs, Threads(), Numbered("a", 20, shape=LARGE), handlers) == [share] * 20


def test_a_stage_may_choose_itself(graphs):
    source = Numbered("a", 20, shape=LARGE)
    assert threads(graphs, Threads(own=3), source, 1) == [3] * 20
