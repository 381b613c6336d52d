"""Which sinks a stream of a run gets."""

from fractions import Fraction

import numpy as np
import pytest

from sightline.errors import PipelineError
from sightline.pipeline.outputs import sinks_for
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.stages import Track
from sightline.sinks.mot import MotFile
from sightline.sinks.sink import Sink, StreamSinks
from sightline.stream import StreamInfo
from sightline.testing.sink import ListSink
from sightline.testing.source import ListSource


def stream(name):
    return StreamInfo(name=name, width=8, height=6, time_base=Fraction(1, 25))


class Lists:
    """Keeps one list per stream; is no sink itself."""

    def __init__(self):
        self.made = {}

    def for_stream(self, stream):
        return self.made.setdefault(stream.name, ListSink())


def test_every_stream_gets_a_sink_of_its_own(tmp_path):
    lists = Lists()
    sinks = [MotFile(tmp_path / "{stream}" / "mot.txt", untracked="write"), lists]
    (north, north_list), (south, south_list) = [
        sinks_for(sinks, stream(name), streams=2) for name in ("north", "south")
    ]
    assert (north.path, south.path) == (tmp_path / "north/mot.txt", tmp_path / "south/mot.txt")
    assert north.untracked == "write"
    assert north_list is lists.made["north"]
    assert south_list is lists.made["south"]
    assert isinstance(sinks[0], StreamSinks)
    assert isinstance(sinks[0], Sink)


def test_one_stream_needs_nothing_of_this(tmp_path):
    sinks = [MotFile(tmp_path / "mot.txt"), ListSink()]
    assert sinks_for(sinks, stream("north"), streams=1) == sinks


@pytest.mark.parametrize(
    ("sink", "message"),
    [
        (MotFile("out/mot.txt"), r"MotFile writes one file, out/mot\.txt: put \{stream\} into"),
        (ListSink(), "ListSink takes one: give it a method for_stream"),
    ],
)
def test_several_streams_cannot_share_a_sink_that_takes_one(sink, message):
    with pytest.raises(PipelineError, match=f"there are 3 streams, but {message}"):
        sinks_for([sink], stream("north"), streams=3)


def test_a_run_of_one_stream_puts_its_name_into_paths_too(tmp_path):
    lists = Lists()
    source = ListSource([np.zeros((6, 8, 3), np.uint8)] * 2, "yard")
    Pipeline([Track()]).run(source, [MotFile(tmp_path / "{stream}.txt"), lists])
    assert [path.name for path in tmp_path.iterdir()] == ["yard.txt"]
    assert [frame.seq for frame in lists.made["yard"].frames] == [0, 1]


class Nothing:
    def for_stream(self, stream):
        return None


def test_what_a_maker_of_sinks_gives_must_be_one():
    with pytest.raises(PipelineError, match=r"Nothing\.for_stream gave None, .* no open, write"):
        sinks_for([Nothing()], stream("north"), streams=1)


def test_sinks_may_come_as_a_generator_and_are_all_released():
    lists = [Lists(), Lists()]
    closed = []
    for one in lists:
        one.close = lambda: closed.append(True)
    source = ListSource([np.zeros((6, 8, 3), np.uint8)] * 2, "yard")
    Pipeline([Track()]).run(source, (one for one in lists))
    assert [len(one.made["yard"].frames) for one in lists] == [2, 2]
    assert closed == [True, True]
