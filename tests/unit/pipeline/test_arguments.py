"""Calls with arguments that make no sense: refused in a sentence, before anything is opened."""

import numpy as np
import pytest

from sightline.errors import PipelineError
from sightline.pipeline.arguments import as_handlers, as_sources
from sightline.pipeline.graph_options import GraphOptions
from sightline.pipeline.inline import RunOptions
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.stage import Stage
from sightline.pipeline.stream_spec import StreamSpec
from sightline.testing.sink import ListSink
from sightline.testing.source import ListSource


class Untouched(Stage):
    """Must not be opened."""

    def open(self):
        raise AssertionError("it was opened")

    def process(self, frame):
        return frame


class HalfSink:
    def open(self, stream):
        """Take part only."""

    def write(self, frame):
        """Take part only."""


@pytest.fixture
def source():
    return ListSource([np.zeros((6, 8, 3), np.uint8)] * 2, "yard")


@pytest.mark.parametrize(
    ("handlers", "shown"),
    [("4", "'4'"), ("AUTO", "'AUTO'"), (2.5, "2.5"), (True, "True"), (0, "0")],
)
def test_handlers_are_a_number_of_processes_or_auto(source, handlers, shown):
    message = f"'handlers' is a number of processes or auto, but is {shown}"
    with pytest.raises(PipelineError, match=message):
        Pipeline([Untouched()]).run(source, handlers=handlers)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([1, 2], r"a list of sources, here of 2, needs 'handlers', such as handlers='auto'"),
        (StreamSpec(0), "a StreamSpec is for a graph: give 'handlers'"),
        (None, "a source is a path, URL or camera index, not None"),
        (b"a.mp4", "a source is a path, URL or camera index, not b'a.mp4'"),
    ],
    ids=["list", "spec", "none", "bytes"],
)
def test_one_process_reads_one_source(wrong, message):
    with pytest.raises(PipelineError, match=message):
        Pipeline([Untouched()]).run(wrong)
    with pytest.raises(PipelineError, match=message):
        Pipeline([Untouched()]).frames(wrong)


def test_options_are_those_of_the_kind_of_run(source):
    pipeline = Pipeline([Untouched()])
    with pytest.raises(PipelineError, match="'options' must be GraphOptions, but is RunOptions"):
        pipeline.run(source, handlers=2, options=RunOptions())
    with pytest.raises(PipelineError, match="'options' must be GraphOptions, but is RunOptions"):
        pipeline.start([source], options=RunOptions())
    with pytest.raises(PipelineError, match="'options' must be RunOptions, but is GraphOptions"):
        pipeline.frames(source, options=GraphOptions())
    with pytest.raises(PipelineError, match="'options' must be RunOptions, but is 3"):
        pipeline.run(source, options=3)


@pytest.mark.parametrize(
    ("sinks", "message"),
    [
        ([object()], "the class object, which is no sink: it has no open, write, close, discard"),
        (
            [ListSink(), HalfSink()],
            "the class HalfSink, which is no sink: it has no close, discard",
        ),
        ([ListSink], r"the class ListSink; make an object of it: ListSink\(…\)"),
        (ListSink(), "'sinks' must be a list of sinks, but is <.*ListSink"),
        (None, "'sinks' must be a list of sinks, but is None"),
        ("mot.txt", "'sinks' must be a list of sinks, but is 'mot.txt'"),
    ],
    ids=["object", "half", "class", "single", "none", "text"],
)
@pytest.mark.parametrize("handlers", [None, 1, "auto"])
def test_sinks_are_a_list_of_what_has_the_methods_of_a_sink(source, sinks, message, handlers):
    with pytest.raises(PipelineError, match=message):
        Pipeline([Untouched()]).run(source, sinks, handlers=handlers)
    with pytest.raises(PipelineError, match=message):
        Pipeline([Untouched()]).start([source], sinks)


def test_sinks_may_come_from_a_generator(source):
    class Passing(Stage):
        def process(self, frame):
            return frame

    kept = ListSink()
    Pipeline([Passing()]).run(source, (sink for sink in [kept]))
    assert len(kept.frames) == 2


def test_a_name_or_a_source_is_one_source(source):
    assert as_sources("a.mp4") == ["a.mp4"]
    assert as_sources(source) == [source]
    assert as_sources((0, "a.mp4")) == (0, "a.mp4")


@pytest.mark.parametrize("name", ["handlers", "window_bytes", "max_failures", "max_attempts"])
def test_options_of_a_graph_count_in_whole_numbers(name):
    with pytest.raises(TypeError, match=f"{name} must be a whole number, but is '4'"):
        GraphOptions(**{name: "4"})
    with pytest.raises(TypeError, match=f"{name} must be a whole number, but is 2.5"):
        GraphOptions(**{name: 2.5})
    with pytest.raises(ValueError, match=f"{name} must be . or more, but is -1"):
        GraphOptions(**{name: -1})


def test_the_deadline_of_a_graph_is_a_number():
    with pytest.raises(TypeError, match="deadline_s must be a number, but is '3'"):
        GraphOptions(deadline_s="3")


def test_numbers_may_be_of_numpy():
    assert GraphOptions(handlers=np.int64(3), deadline_s=np.float32(2)).handlers == 3
    assert as_handlers(np.int64(3)) == 3
