"""The account of a graph, from those of its streams."""

from fractions import Fraction

from sightline.graph.modes import StreamPolicy
from sightline.graph.occupancy import Occupancy
from sightline.graph.record import FrameRecord, Moments
from sightline.graph.report import GraphReport, StreamReport
from sightline.pipeline.report import RunReport
from sightline.stream import StreamInfo
from sightline.transport.messages import FrameId


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


def test_how_full_the_window_was_is_told():
    stream = account("a", frames=0, wall_s=0.0)
    stream.occupancy = Occupancy(6)
    for admitted in (6, 7, 8, 8):
        about = FrameId(stream="a", epoch=0, seq=0, pts=0, time_base=(1, 25), captured_ns=1)
        record = FrameRecord(about, b"", None, Moments(1), dropped=("detect", ""))
        stream.settle(record)
        stream.admitted = admitted
    assert stream.as_dict()["occupancy"] == {"window": 6, "most": 6, "mean": 4.75}


def test_a_window_that_is_not_known_is_not_told():
    assert account("a", frames=1, wall_s=1.0).as_dict()["occupancy"] is None


def test_delays_of_the_first_second_are_forgotten_and_those_of_a_stall_are_seen():
    stream = account("a", frames=0, wall_s=0.0)
    report = GraphReport(streams={"a": stream})

    def go_on(seconds, delay_s):
        for _ in range(seconds):
            go_on.now_s += 1
            stream.hops["age"].add(delay_s)
            report.note_rates(go_on.now_s)
        return stream.as_dict()["recent_latency"]["age"]

    go_on.now_s = 0
    assert go_on(5, 4.0)["p99_ms"] > 3500
    figures = go_on(500, 0.01)
    assert figures["p99_ms"] < 11
    assert 9 <= figures["count"] <= 11
    assert go_on(6, 2.0)["p50_ms"] > 1900
    for quiet_s in range(1, 20):
        report.note_rates(go_on.now_s + quiet_s)
    assert stream.as_dict()["recent_latency"] == {}
    assert stream.as_dict()["latency"]["age"]["count"] == 511
