"""The account of a graph, from those of its streams."""

from fractions import Fraction

from sightline.graph.modes import StreamPolicy
from sightline.graph.report import GraphReport, StreamReport
from sightline.pipeline.report import RunReport
from sightline.stream import StreamInfo


def account(name, *, frames, wall_s):
    info = StreamInfo(name=name, width=4, height=4, time_base=Fraction(1, 25))
    run = RunReport(stream=info, stages=[])
    run.frames, run.wall_s = frames, wall_s
    return StreamReport(run=run, policy=StreamPolicy())


def test_the_whole_takes_no_less_time_than_a_stream():
    streams = {"a": account("a", frames=30, wall_s=4.0), "b": account("b", frames=30, wall_s=3.0)}
    shown = GraphReport(streams=streams, wall_s=2.5).as_dict()
    assert (shown["wall_s"], shown["frames_per_second"]) == (4.0, 15.0)


def test_a_graph_without_frames_has_no_rate():
    shown = GraphReport().as_dict()
    assert (shown["wall_s"], shown["frames_per_second"]) == (0.0, 0.0)
