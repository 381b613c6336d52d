"""Handlers that take the place of dead ones: they may be killed, fail or hang before they work."""

import os
import signal
import threading

import pytest
from tests.graph_stages import Count, Numbered, OpensBadly, Pause
from tests.graph_witness import Notes, processes_of, until

from sightline.errors import GraphError

FRAMES = 300


def kill(run):
    """Kill all handlers that there are."""
    for pid in processes_of(run, "handler").values():
        if pid:
            os.kill(pid, signal.SIGKILL)


def check_complete(notes, run):
    assert run.wait(60), run.stats()
    assert notes.seqs("a") == list(range(FRAMES))
    assert run.report.complete, run.report.as_dict()


def start(graphs, stage, notes, **options):
    stages = [Pause(0.005), stage, Count()]
    run = graphs.start(stages, [Numbered("a", FRAMES)], [notes], **options)
    until(lambda: run.report.frames >= 20)
    return run


def test_a_successor_that_cannot_open_its_stages_is_tried_again(graphs, tmp_path):
    notes = Notes()
    run = start(graphs, OpensBadly(tmp_path, {2, 3, 4}), notes, handlers=2)
    (victim, *_) = processes_of(run, "handler").values()
    os.kill(victim, signal.SIGKILL)

    check_complete(notes, run)
    assert run.report.handler_restarts >= 1


def test_the_only_handler_may_have_several_successors_that_cannot_open(graphs, tmp_path):
    notes = Notes()
    run = start(graphs, OpensBadly(tmp_path, {1, 2, 3, 4}), notes, handlers=1)
    kill(run)

    check_complete(notes, run)
    assert run.report.handler_restarts == 5


def test_a_successor_that_hangs_while_it_opens_is_killed(graphs, tmp_path):
    notes = Notes()
    stage = OpensBadly(tmp_path, {1}, hangs=True)
    run = start(graphs, stage, notes, handlers=1, deadline_s=0.5)
    kill(run)

    check_complete(notes, run)
    assert run.report.handler_restarts == 2


def test_successors_may_be_killed_while_they_start(graphs, tmp_path):
    notes = Notes()
    run = start(graphs, OpensBadly(tmp_path, set()), notes, handlers=2, max_attempts=50)
    for _ in range(8):
        kill(run)
        threading.Event().wait(0.03)

    check_complete(notes, run)


def test_a_handler_that_cannot_begin_says_which_stage_it_is(graphs, tmp_path):
    run = graphs.start([OpensBadly(tmp_path, {0, 1})], [Numbered("a")], [Notes()], handlers=2)
    message = "stage 'opensbadly' cannot be opened: OSError: no memory for the model"
    with pytest.raises(GraphError, match=message):
        run.wait(60)
