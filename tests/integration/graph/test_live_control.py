"""Steering a graph while it runs, and looking at it from other threads."""

import functools
import os
import signal
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest
from tests.graph_stages import (
    Count,
    DyingOnce,
    Fussy,
    FussyInOrder,
    Numbered,
    Pause,
    Read,
    SlowToOpen,
    Stalling,
    Valued,
    ValuedInOrder,
    Wait,
)
from tests.graph_witness import (
    PATIENCE_S,
    ListSinks,
    Notes,
    is_dead,
    outcomes,
    processes_of,
    segments_of,
    until,
)

from sightline import StreamSpec, Web
from sightline.errors import GraphError, OutputError, PipelineError
from sightline.graph.exposition import MetricsServer
from sightline.graph.runs import ControlClient, list_runs
from sightline.sinks.tally import Tally
from sightline.testing.sink import ListSink


def paced(name, count=100_000, rate=200):
    return StreamSpec(Numbered(name, count), name=name, rate=rate)


def frames(run, stream):
    return run.stats()["streams"].get(stream, {}).get("frames", 0)


@pytest.mark.parametrize("phase", ["opening", "running"])
def test_a_graph_stops_when_its_event_is_set_whoever_waits_for_it(graphs, tmp_path, phase):
    stop = threading.Event()
    stalls = SlowToOpen if phase == "opening" else functools.partial(Stalling, 5)
    with graphs.start([Read()], [stalls(tmp_path / "never")], stop=stop) as run:
        until(lambda: run.stats()["phase"] == phase)
        stop.set()
        assert run.wait(PATIENCE_S)
        assert run.report.stopped


def test_a_replaced_source_continues_the_stream_and_its_outputs(graphs):
    notes = Notes()
    with graphs.start([Read(), Count()], [paced("a"), paced("b", 200)], [notes], handlers=2) as run:
        until(lambda: frames(run, "a") > 20)
        run.replace("a", Numbered("another", 50))
        assert run.wait(PATIENCE_S)
    a = run.report.streams["a"]
    assert notes.seqs("a") == list(range(a.admitted))
    assert outcomes(a) == a.run.frames == a.admitted > 70
    assert (a.replacements, a.restarts) == (1, 0)
    shown = [data["read"] for data in notes.data("a")]
    assert shown == [*range(a.admitted - 50), *range(50)]
    counted = [data["count"] for data in notes.data("a")]
    assert counted == [*range(1, a.admitted - 49), *range(1, 51)]
    assert notes.streams["a"].closed == 1
    assert notes.seqs("b") == list(range(200))
    assert run.report.complete


def test_a_source_in_the_place_of_another_resumes_where_it_died(graphs, tmp_path):
    notes = Notes()
    with graphs.start([Read()], [paced("a")], [notes], handlers=1) as run:
        until(lambda: frames(run, "a") > 10)
        run.replace("a", DyingOnce(25, tmp_path / "died", count=60))
        assert run.wait(PATIENCE_S)
    shown = [data["read"] for data in notes.data("a")]
    assert shown[-60:] == list(range(60))
    assert notes.seqs("a") == list(range(len(shown)))


def test_a_source_can_be_replaced_again_and_again(graphs):
    notes = Notes()
    with graphs.start([Read(), Count()], [paced("a")], [notes], handlers=2) as run:
        until(lambda: frames(run, "a") > 0)
        for n in range(1, 11):
            run.replace("a", Numbered("x", 100_000))
            until(lambda n=n: run.stats()["streams"]["a"]["replacements"] == n)
            before = frames(run, "a")
            until(lambda before=before: frames(run, "a") > before + 20)
        run.replace("a", Numbered("x", 5))
        assert run.wait(PATIENCE_S)
    assert notes.seqs("a") == list(range(run.report.streams["a"].admitted))
    assert run.report.streams["a"].replacements == 11


def test_a_source_can_be_replaced_before_it_is_open(graphs, tmp_path):
    notes = Notes()
    never = SlowToOpen(tmp_path / "never", name="late")
    with graphs.start([Read()], [StreamSpec(never, name="a")], [notes], handlers=1) as run:
        run.replace("a", Numbered(count=40))
        assert run.wait(PATIENCE_S)
    assert notes.seqs("a") == list(range(40))
    assert run.report.complete


def test_what_cannot_be_replaced_is_refused(graphs):
    with graphs.start([Read()], [paced("a", 5), paced("b")], [Notes()], handlers=1) as run:
        with pytest.raises(GraphError, match="there is no stream 'c'"):
            run.replace("c", Numbered())
        bad = Numbered()
        bad.cable = (n for n in ())
        with pytest.raises(PipelineError, match="cannot be sent"):
            run.replace("b", bad)
        until(lambda: run.stats()["streams"].get("a", {}).get("ended"))
        until(lambda: "a" not in run.stats()["under_way"])
        with pytest.raises(GraphError, match="stream 'a' is over"):
            run.replace("a", Numbered())
        with pytest.raises(GraphError, match="stream 'a' is over"):
            run.remove("a")
        before = frames(run, "b")
        until(lambda: frames(run, "b") > before)


def test_a_replacement_that_cannot_be_opened_leaves_its_stream_as_it_was(graphs, tmp_path):
    notes = Notes()
    sources = [Stalling(30, tmp_path / "go on", name="a", count=60), paced("b", 300)]
    with graphs.start([Read(), Count()], sources, [notes], handlers=1) as run:
        until(lambda: frames(run, "a") == 30)
        run.replace("a", str(tmp_path / "none.mp4"))
        assert run.stats()["replacing"]["a"]["place"] == str(tmp_path / "none.mp4")
        assert "none.mp4" in until(lambda: run.stats()["replacing"]["a"]["error"])
        (tmp_path / "go on").touch()
        assert run.wait(PATIENCE_S)
    assert [data["count"] for data in notes.data("a")] == list(range(1, 61))
    assert notes.seqs("b") == list(range(300))
    assert run.report.streams["a"].replacements == 0
    assert run.report.complete


def test_a_replacement_whose_process_dies_before_it_is_open_leaves_its_stream_as_it_was(
    graphs, tmp_path
):
    with graphs.start([Read()], [paced("a")], [Notes()], handlers=1) as run:
        until(lambda: frames(run, "a") > 10)
        (first,) = processes_of(run, "feeder").values()
        run.replace("a", SlowToOpen(tmp_path / "never"))
        (second,) = set(processes_of(run, "feeder").values()) - {first}
        os.kill(second, signal.SIGKILL)
        assert "died" in until(lambda: run.stats()["replacing"]["a"]["error"])
        before = frames(run, "a")
        until(lambda: frames(run, "a") > before)
        assert list(processes_of(run, "feeder").values()) == [first]


def test_a_replacement_that_talks_nonsense_leaves_its_stream_as_it_was(graphs):
    babbling = Numbered()
    object.__setattr__(babbling.info, "frame_count", 0.5)
    with graphs.start([Read()], [paced("a")], [Notes()], handlers=1) as run:
        until(lambda: frames(run, "a") > 10)
        run.replace("a", babbling)
        assert "malformed" in until(lambda: run.stats()["replacing"]["a"]["error"])
        before = frames(run, "a")
        until(lambda: frames(run, "a") > before)
        until(lambda: len(processes_of(run, "feeder")) == 1)


def test_a_source_goes_on_until_the_one_in_its_place_is_open(graphs, tmp_path):
    sinks = ListSinks()
    with graphs.start([Read()], [paced("a")], [sinks], handlers=1) as run:
        until(lambda: frames(run, "a") > 10)
        run.replace("a", SlowToOpen(tmp_path / "open", count=50))
        assert run.stats()["replacing"]["a"]["error"] is None
        before = frames(run, "a")
        until(lambda: frames(run, "a") > before + 20)
        (tmp_path / "open").touch()
        assert run.wait(PATIENCE_S)
    assert run.stats()["replacing"] == {}
    a = run.report.streams["a"]
    assert (a.replacements, a.admitted) == (1, outcomes(a))
    written = sinks.streams["a"].frames
    first = len(written) - 50
    assert [frame.seq for frame in written] == list(range(len(written)))
    assert [frame.data["read"] for frame in written] == [*range(first), *range(50)]
    pts = [frame.pts for frame in written]
    assert [later - pts[first] for later in pts[first:]] == list(range(50))
    assert pts[first] > pts[first - 1]
    assert run.report.complete


def test_a_stream_waits_for_its_new_source_when_the_one_before_is_at_its_end(graphs, tmp_path):
    notes = Notes()
    with graphs.start([Read()], [paced("a", 40)], [notes], handlers=1) as run:
        until(lambda: frames(run, "a") > 10)
        run.replace("a", SlowToOpen(tmp_path / "open", count=50))
        until(lambda: frames(run, "a") == 40)
        (tmp_path / "open").touch()
        assert run.wait(PATIENCE_S)
    assert [data["read"] for data in notes.data("a")] == [*range(40), *range(50)]
    assert notes.streams["a"].closed == 1


def test_a_stream_ends_as_it_would_have_when_no_new_source_comes(graphs, tmp_path):
    with graphs.start([Read()], [paced("a", 40)], [Notes()], handlers=1) as run:
        until(lambda: frames(run, "a") > 10)
        (first,) = processes_of(run, "feeder").values()
        run.replace("a", SlowToOpen(tmp_path / "never"))
        (second,) = set(processes_of(run, "feeder").values()) - {first}
        until(lambda: frames(run, "a") == 40)
        os.kill(second, signal.SIGKILL)
        assert run.wait(PATIENCE_S)
    assert run.report.complete


def test_a_stream_whose_new_source_is_opening_can_be_removed(graphs, tmp_path):
    with graphs.start([Read()], [paced("a")], [Notes()], handlers=1, stay=True) as run:
        until(lambda: frames(run, "a") > 10)
        run.replace("a", SlowToOpen(tmp_path / "never"))
        pids = list(processes_of(run, "feeder").values())
        assert len(pids) == 2
        run.remove("a")
        assert all(is_dead(pid) for pid in pids)
        until(lambda: segments_of(run) == {})


def test_the_last_of_several_replacements_counts(graphs, tmp_path):
    notes = Notes()
    with graphs.start([Read()], [paced("a")], [notes], handlers=1) as run:
        until(lambda: frames(run, "a") > 10)
        run.replace("a", SlowToOpen(tmp_path / "never"))
        run.replace("a", Numbered(count=50))
        assert run.wait(PATIENCE_S)
    assert [data["read"] for data in notes.data("a")][-50:] == list(range(50))
    assert run.report.streams["a"].replacements == 1


def test_a_live_source_in_the_place_of_a_file_loses_no_frame_either(graphs):
    notes = Notes()
    stages = [Pause(0.003, exact=True), Read()]
    with graphs.start(stages, [paced("a")], [notes], handlers=1) as run:
        until(lambda: frames(run, "a") > 10)
        run.replace("a", Numbered("cam", 300, live=True))
        assert run.wait(PATIENCE_S)
    a = run.report.streams["a"]
    assert a.policy.mode.value == "every-frame"
    assert a.drops == {}
    assert [data["read"] for data in notes.data("a")][-300:] == list(range(300))


@pytest.mark.parametrize("stage", [Valued, ValuedInOrder])
def test_a_value_that_cannot_be_sent_to_another_process_is_refused_and_changes_nothing(
    graphs, stage
):
    notes = Notes()
    with graphs.start([Read(), stage()], [paced("a")], [notes], handlers=1) as run:
        until(lambda: frames(run, "a") > 10)
        run.change(stage.name, value=1)
        with pytest.raises(PipelineError, match="cannot be sent"):
            run.change(stage.name, other=np.zeros(3))
        until(lambda: notes.data("a")[-1]["value"] == 1)
        (pid,) = processes_of(run, "handler").values()
        os.kill(pid, signal.SIGKILL)
        until(lambda: run.stats()["handler_restarts"] == 1)
        before = frames(run, "a")
        until(lambda: frames(run, "a") > before + 20)
        run.add(paced("b", 20))
        until(lambda: frames(run, "b") == 20)
    for name in "ab":
        last = notes.data(name)[-1]
        assert (last["value"], last["other"]) == (1, 0)


@pytest.mark.parametrize("stage", [Fussy, FussyInOrder])
def test_a_value_that_stages_refuse_once_they_are_open_changes_nothing_and_the_graph_goes_on(
    graphs, stage
):
    notes = Notes()
    with graphs.start([Read(), stage()], [paced("a")], [notes], handlers=1) as run:
        until(lambda: frames(run, "a") > 10)
        run.change(stage.name, value=1)
        run.change(stage.name, value="unknown")
        run.change(stage.name, other="unknown")
        until(lambda: notes.data("a")[-1]["value"] == 1)
        (pid,) = processes_of(run, "handler").values()
        os.kill(pid, signal.SIGKILL)
        until(lambda: run.stats()["handler_restarts"] == 1)
        before = frames(run, "a")
        until(lambda: frames(run, "a") > before + 20)
        assert run.stats()["handler_restarts"] == 1
        run.add(paced("b", 20))
        until(lambda: frames(run, "b") == 20)
    for name in "ab":
        last = notes.data(name)[-1]
        assert (last["value"], last["other"]) == (1, 0)


@pytest.mark.parametrize("stage", [Valued, ValuedInOrder])
def test_a_change_is_of_the_run_and_leaves_the_stages_of_the_pipeline_as_they_were(graphs, stage):
    notes, configured = Notes(), stage(5)
    with graphs.start([Read(), configured], [paced("a")], [notes], handlers=1) as run:
        until(lambda: frames(run, "a") > 10)
        run.change(stage.name, value=1)
        run.change(stage.name, other=2)
        until(lambda: notes.data("a")[-1]["other"] == 2)
    assert notes.data("a")[-1]["value"] == 1
    assert (configured.value, configured.other) == (5, 0)


def test_a_stream_that_no_sink_can_take_is_given_up_alone(graphs):
    sink = ListSink()
    with graphs.start([Read()], [paced("a", 400)], [sink], handlers=1) as run:
        until(lambda: frames(run, "a") > 10)
        run.add(paced("b"))
        until(lambda: run.stats()["streams"].get("b", {}).get("error"))
        assert run.wait(PATIENCE_S)
    assert [frame.seq for frame in sink.frames] == list(range(400))
    assert isinstance(run.report.streams["b"].error, PipelineError)


def test_every_graph_is_listed_and_answers_until_it_is_over(graphs):
    run = graphs.start([Read()], [paced("a")], handlers=1)
    run_id = run.info()["run_id"]
    assert [found.run_id for found in list_runs(graphs.base)] == [run_id]
    with ControlClient(run_id, graphs.base) as client:
        until(lambda: client.stats()["frames"] > 10)
        client.stop()
    assert run.wait(PATIENCE_S)
    assert run.report.stopped


def test_stats_remain_when_the_graph_is_over(graphs):
    with graphs.start([Read()], [Numbered(count=50)], [Notes()], handlers=1) as run:
        assert run.wait(PATIENCE_S)
        assert run.stats()["frames"] == 50
    assert run.stats()["streams"]["numbers"]["frames"] == 50


def test_metrics_are_served_until_closed(graphs):
    with graphs.start([Read()], [Numbered(count=50)], handlers=1) as run:
        assert run.wait(PATIENCE_S)
        with MetricsServer(run.snapshots) as server:
            with urllib.request.urlopen(server.address, timeout=PATIENCE_S) as response:
                text = response.read().decode()
            with pytest.raises(OutputError, match="choose another port"):
                MetricsServer(run.snapshots, port=int(server.address.split(":")[2].split("/")[0]))
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(server.address, timeout=PATIENCE_S)
    assert 'sightline_frames_total{stream="numbers"} 50.0' in text


def test_the_live_view_shows_what_the_graph_counts(graphs, tmp_path):
    web = Web(port=0)
    gate = tmp_path / "gate"
    with graphs.start([Wait(gate)], [Numbered(count=30)], [web, Tally()], handlers=1) as run:
        gate.touch()
        assert run.wait(PATIENCE_S)
        run.snapshots._next_s = 0
        assert set(web.stats()) == {"numbers"}
        assert web.stats()["numbers"].keys() == {"hops", "drops"}
        assert 'sightline_frames_total{stream="numbers"} 30.0' in web.metrics()
