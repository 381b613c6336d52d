"""Plain progress lines of a graph."""

from fractions import Fraction

from sightline.cli.graph_progress import GraphLines
from sightline.graph.modes import StreamPolicy
from sightline.graph.report import GraphReport, StreamReport
from sightline.pipeline.report import RunReport
from sightline.stream import StreamInfo


def stream(name, frames, *, total=None, ended=False):
    info = StreamInfo(name=name, width=4, height=4, time_base=Fraction(1, 25), frame_count=total)
    report = StreamReport(
        run=RunReport(stream=info, frames=frames), policy=StreamPolicy(), ended=ended
    )
    report.rate.note(0.0, 0)
    report.rate.note(2.0, frames)
    return report


def lines(capsys, *streams):
    display = GraphLines(every_s=0)
    display.update(GraphReport(streams={s.run.stream.name: s for s in streams}))
    display.finish()
    return capsys.readouterr().err.splitlines()


def test_one_stream_has_frame_and_rate(capsys):
    assert lines(capsys, stream("north", 50, total=100)) == [
        "north: frame 50 of 100, 25.0 frames/s"
    ]


def test_several_streams_have_a_sum_and_a_part_each(capsys):
    assert lines(capsys, stream("north", 50), stream("south", 30, ended=True)) == [
        "80 frames, 40.0 frames/s; north: frame 50, 25.0 frames/s; south: frame 30, over"
    ]


def test_without_a_stream_it_says_what_it_waits_for(capsys):
    assert lines(capsys) == ["waiting for a source"]


def test_lines_come_no_faster_than_asked_for(capsys):
    display = GraphLines(every_s=3600)
    for frames in range(50):
        display.update(GraphReport(streams={"north": stream("north", frames)}))
    assert capsys.readouterr().err == ""
