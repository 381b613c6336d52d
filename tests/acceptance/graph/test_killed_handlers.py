"""Handlers that are killed, hang or die of a frame: nothing is lost, and nothing comes twice."""

import os
import random
import signal
import threading

import pytest
from tests.graph_stages import (
    Batches,
    Boxes,
    Count,
    Crowd,
    Exit,
    HangOnce,
    Measure,
    Numbered,
    Pause,
    Poison,
    Read,
    Renew,
)
from tests.graph_witness import Notes, outcomes, processes_of, until
from tests.lengths import short_or_long

from sightline.pipeline.per_object import PerObject

SIZES = (48, 64, 3)


def kill_now_and_then(run, seed, *, kills, frames):
    """Kill handlers at random moments, spread over so many frames; return how many were hit."""
    dice = random.Random(seed)
    hit = 0
    for moment in sorted(dice.sample(range(frames), kills)):
        until(lambda moment=moment: run.wait(0) or run.report.frames >= moment)
        threading.Event().wait(dice.random() * 0.01)  # anywhere between two frames
        if run.wait(0):
            break
        handlers = [pid for pid in processes_of(run, "handler").values() if pid]
        if handlers:
            try:
                os.kill(dice.choice(handlers), signal.SIGKILL)
            except ProcessLookupError:
                continue
            hit += 1
    return hit


def check_complete(notes, report, name, count):
    assert notes.seqs(name) == list(range(count))
    assert [shown for _, shown, _ in notes.streams[name].lines] == list(range(count))
    assert [data["count"] for data in notes.data(name)] == list(range(1, count + 1))
    assert report.streams[name].complete
    assert report.streams[name].admitted == outcomes(report.streams[name]) == count


@pytest.mark.parametrize("seed", range(short_or_long(4, 20)))
def test_handlers_may_be_killed_at_any_moment_and_no_frame_is_lost_or_comes_twice(graphs, seed):
    notes = Notes()
    run = graphs.start(
        [Renew(), Pause(0.004), Read(), Renew(granted=False), Count()],
        [Numbered("a", 300), Numbered("b", 300)],
        [notes],
        handlers=3,
        max_attempts=50,  # a kill is no fault of the frame
    )
    hit = kill_now_and_then(run, seed, kills=6, frames=500)
    assert run.wait(60)

    for name in "ab":
        check_complete(notes, run.report, name, 300)
        assert [data["read"] for data in notes.data(name)] == list(range(300))
    assert hit >= 1
    assert run.report.handler_restarts >= hit - 1  # one may have died twice
    print(f"kills: {hit}, fail-over: {run.report.as_dict()['failover']}")  # noqa: T201


@pytest.mark.parametrize("seed", range(short_or_long(2, 10)))
def test_handlers_may_be_killed_while_they_have_objects_of_a_frame(graphs, seed):
    notes = Notes()
    run = graphs.start(
        [Boxes(), PerObject(Measure(pause_s=0.002)), Count(), PerObject(Read())],
        [Numbered("a", 150)],
        [notes],
        handlers=3,
        max_attempts=50,
    )
    hit = kill_now_and_then(run, seed, kills=5, frames=120)
    assert run.wait(60)

    check_complete(notes, run.report, "a", 150)
    for seq, data in enumerate(notes.data("a")):
        assert len(data.get("sum", [])) == seq % 5
        assert None not in data.get("sum", [])
    assert hit >= 1


@pytest.mark.parametrize("seed", range(short_or_long(2, 10)))
def test_handlers_may_be_killed_while_they_have_batches(graphs, seed):
    notes = Notes()
    run = graphs.start(
        [Batches(), Count()], [Numbered("a", 400)], [notes], handlers=2, max_attempts=50
    )
    hit = kill_now_and_then(run, seed, kills=4, frames=300)
    assert run.wait(60)

    check_complete(notes, run.report, "a", 400)
    assert hit >= 1


def test_all_handlers_killed_at_once_are_replaced(graphs):
    notes = Notes()
    run = graphs.start([Pause(0.01), Count()], [Numbered("a", 200)], [notes], handlers=3)
    until(lambda: run.report.frames >= 20)
    for pid in processes_of(run, "handler").values():
        os.kill(pid, signal.SIGKILL)
    assert run.wait(60)

    check_complete(notes, run.report, "a", 200)
    assert run.report.handler_restarts == 3
    assert run.report.failovers.count >= 3


def test_a_handler_that_hangs_is_killed_and_its_frame_done_by_another(graphs, tmp_path):
    notes = Notes()
    report = graphs.run(
        [HangOnce(25, tmp_path / "flag"), Count()],
        [Numbered("a", 60)],
        [notes],
        handlers=2,
        deadline_s=0.5,
    )

    check_complete(notes, report, "a", 60)
    assert report.handler_restarts >= 1
    assert report.failovers.count >= 1


@pytest.mark.parametrize("stage", [Poison(25), Exit(25)], ids=["kills", "exits"])
def test_a_frame_that_handlers_die_of_is_given_up_after_three_attempts_and_no_other(graphs, stage):
    notes = Notes()
    report = graphs.run([Pause(0.002), stage], [Numbered("a", 80)], [notes], handlers=3)

    (failure,) = report.streams["a"].run.failed
    assert failure.seq == 25
    assert "given up after 3 attempts: the handler process died" in failure.error
    assert notes.seqs("a") == [seq for seq in range(80) if seq != 25]
    assert report.handler_restarts == 3


def test_an_object_that_handlers_die_of_fails_its_frame_alone(graphs):
    notes = Notes()
    report = graphs.run([Boxes(), PerObject(Poison(8))], [Numbered("a", 40)], [notes], handlers=3)

    (failure,) = report.streams["a"].run.failed
    assert failure.seq == 8
    assert notes.seqs("a") == [seq for seq in range(40) if seq != 8]


def test_a_frame_whose_every_object_kills_handlers_gets_three_attempts_in_all(graphs):
    notes = Notes()
    report = graphs.run([Crowd(), PerObject(Poison(3))], [Numbered("a", 10)], [notes], handlers=2)

    (failure,) = report.streams["a"].run.failed
    assert failure.seq == 3
    assert "given up after 3 attempts" in failure.error
    assert notes.seqs("a") == [seq for seq in range(10) if seq != 3]
    # Both handlers may have had objects of it, or objects of others which they had not told of yet.
    assert report.handler_restarts < 10
