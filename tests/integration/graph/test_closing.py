"""The end of a graph: stages and sources close what they opened, and are waited for."""

import time

import pytest
from tests.graph_stages import Closing, Lingering, Numbered, Read
from tests.graph_witness import Notes

from sightline.errors import GraphError

LONG_BEFORE_S = 60.0


def counts(folder):
    """Read what the stages have noted, process by process."""
    return [int(path.read_text()) for path in folder.glob("*.count")]


def test_stages_may_take_long_to_close_when_all_streams_are_over(graphs, tmp_path):
    notes = Notes()
    report = graphs.run([Closing(tmp_path, takes_s=1.0)], [Numbered("a", 60)], [notes], handlers=2)

    assert notes.seqs("a") == list(range(60))
    assert len(counts(tmp_path)) == 2
    assert sum(counts(tmp_path)) == 60
    assert report.handler_restarts == 0
    assert not report.stopped


def test_a_source_may_take_long_to_close(graphs, tmp_path):
    graphs.run([Read()], [Lingering("a", tmp_path / "closed", takes_s=1.0)])

    assert (tmp_path / "closed").exists()


@pytest.mark.parametrize(
    ("then", "message"),
    [
        ("raise", "no room for the last results"),
        ("die", r"a handler process died while it closed its stages \(exit status 3\)"),
    ],
)
def test_a_stage_that_cannot_close_is_reported_after_the_sinks_are_complete(
    graphs, tmp_path, then, message
):
    notes = Notes()
    run = graphs.start([Closing(tmp_path, then=then)], [Numbered("a", 60)], [notes], handlers=1)
    with pytest.raises(GraphError, match=message):
        run.wait(60)

    assert notes.seqs("a") == list(range(60))
    assert run.report.streams["a"].ended


def test_a_stage_that_hangs_when_it_is_closed_is_killed_after_the_deadline(graphs, tmp_path):
    run = graphs.start(
        [Closing(tmp_path, takes_s=600)], [Numbered("a", 60)], handlers=1, deadline_s=0.5
    )
    with pytest.raises(GraphError, match=r"closing the stages of a handler took longer than 0.5 s"):
        run.wait(60)


def test_a_graph_that_is_stopped_waits_no_longer_for_stages_to_close(graphs, tmp_path):
    run = graphs.start([Closing(tmp_path, takes_s=600)], [Numbered("a", 60)], handlers=1)
    while not list(tmp_path.glob("*.closing")):
        assert not run.wait(0.01)
    assert run.stats()["phase"] == "parting"
    began_s = time.monotonic()
    run.stop()

    assert run.wait(60)
    assert time.monotonic() - began_s < LONG_BEFORE_S
    assert run.report.stopped
