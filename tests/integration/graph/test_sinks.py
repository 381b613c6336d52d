"""Sinks that fail end their stream, and are reported; other streams go on."""

import pytest
from tests.graph_stages import Count, ExitInOrder, Numbered, OpensWhenInOrder, Read, Stalling
from tests.graph_witness import Notes, NotesSink, outcomes, until

import sightline as sl
from sightline.errors import GraphError, OutputError
from sightline.pipeline.stream_spec import StreamSpec


class Failing:
    """Makes sinks of which that of one stream fails at one moment."""

    def __init__(self, stream, moment):
        self.stream, self.moment = stream, moment
        self.made = {}

    def for_stream(self, stream):
        moment = self.moment if stream.name == self.stream else None
        self.made[stream.name] = sink = FailingSink(moment)
        return sink


class FailingSink(NotesSink):
    def __init__(self, moment):
        super().__init__()
        self.moment = moment

    def open(self, stream):
        if self.moment == "open":
            raise OutputError("the disk is not there")
        super().open(stream)

    def write(self, frame):
        if self.moment == "write" and frame.seq == 20:
            raise OutputError("the disk is full")
        super().write(frame)

    def close(self):
        super().close()
        if self.moment == "close":
            raise OutputError("the disk is gone")


@pytest.mark.parametrize("stages", [[Read()], [Count()]], ids=["handlers", "in order"])
def test_a_sink_that_cannot_write_ends_its_stream_and_no_other(graphs, stages):
    failing, notes = Failing("bad", "write"), Notes()
    report = graphs.run(stages, [Numbered("bad", 5000), Numbered("good", 200)], [failing, notes])

    bad, good = report.streams["bad"], report.streams["good"]
    assert str(bad.error) == "the disk is full"
    assert [seq for seq, _, _ in failing.made["bad"].lines] == list(range(20))
    assert failing.made["bad"].closed == 1
    assert notes.seqs("bad") == list(range(20))
    assert bad.admitted == outcomes(bad) < 5000
    assert not bad.complete
    assert notes.seqs("good") == list(range(200))
    assert good.complete


def test_a_sink_that_cannot_close_is_reported(graphs):
    failing, notes = Failing("bad", "close"), Notes()
    report = graphs.run([Read()], [Numbered("bad", 50), Numbered("good", 50)], [failing, notes])

    assert str(report.streams["bad"].error) == "the disk is gone"
    assert not report.complete
    assert report.streams["good"].complete
    assert notes.seqs("bad") == notes.seqs("good") == list(range(50))


def test_a_sink_that_cannot_open_ends_the_graph_before_anything_is_written(graphs, tmp_path):
    failing = Failing("bad", "open")
    with (
        pytest.raises(OutputError, match="the disk is not there"),
        graphs.start(
            [Read()],
            [Numbered("good", 50), Numbered("bad", 50)],
            [failing, sl.MotFile(tmp_path / "{stream}.txt")],
        ) as run,
    ):
        run.wait(60)

    assert list(tmp_path.iterdir()) == []
    assert not failing.made["good"].lines


def test_a_sink_of_an_added_stream_that_cannot_open_ends_that_stream_alone(graphs, tmp_path):
    failing, notes = Failing("bad", "open"), Notes()
    flag = tmp_path / "go on"
    run = graphs.start([Read()], [Stalling(60, flag, name="good")], [failing, notes], stay=True)
    until(lambda: run.stats()["streams"].get("good", {}).get("frames") == 60)
    run.add(StreamSpec(Numbered("bad", 5000)))
    until(lambda: run.stats()["streams"].get("bad", {}).get("error"))
    flag.touch()
    until(lambda: run.stats()["streams"]["good"]["ended"])
    run.stop()

    assert str(run.report.streams["bad"].error) == "the disk is not there"
    assert notes.seqs("good") == list(range(100))


def test_a_stage_in_order_that_loads_slowly_does_not_hold_up_other_streams(graphs, tmp_path):
    notes = Notes()
    flag, loaded = tmp_path / "go on", tmp_path / "loaded"
    loaded.touch()
    run = graphs.start(
        [OpensWhenInOrder(loaded), Count()], [Stalling(60, flag, name="good")], [notes], stay=True
    )
    until(lambda: run.stats()["streams"].get("good", {}).get("frames") == 60)
    loaded.unlink()
    run.add(StreamSpec(Numbered("late", 50)))
    until(lambda: "late" in run.stats()["streams"])
    flag.touch()
    until(lambda: run.stats()["streams"]["good"]["ended"])
    assert notes.seqs("late") == []
    loaded.touch()
    until(lambda: run.stats()["streams"]["late"]["ended"])
    run.stop()

    assert notes.seqs("good") == list(range(100))
    assert notes.seqs("late") == list(range(50))


def test_a_stage_in_order_that_calls_exit_ends_its_stream_and_leaves_its_outputs_complete(
    graphs, tmp_path
):
    report = graphs.run(
        [Read(), ExitInOrder(20)],
        [Numbered("bad", 50), Numbered("good", 15)],
        [sl.JsonlFile(tmp_path / "{stream}.jsonl")],
    )

    assert str(report.streams["bad"].error) == "SystemExit was raised: 3"
    assert report.streams["bad"].admitted == outcomes(report.streams["bad"])
    assert report.streams["good"].complete
    assert {path.name for path in tmp_path.iterdir()} == {"bad.jsonl", "good.jsonl"}


class ExitsWhenAsked:
    def for_stream(self, stream):
        raise SystemExit(3)


def test_a_graph_whose_sinks_call_exit_when_they_are_made_ends_with_an_error(graphs):
    with (
        pytest.raises(GraphError, match="SystemExit was raised: 3"),
        graphs.start([Read()], [Numbered("a")], [ExitsWhenAsked()]) as run,
    ):
        run.wait(60)
