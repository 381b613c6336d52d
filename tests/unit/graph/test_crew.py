"""Handlers that take too long are killed; those that were stopped with everybody else are not."""

import pytest

from sightline.errors import GraphError
from sightline.graph.crew import Crew
from sightline.graph.plan import make_plan
from sightline.pipeline.stage import Stage

DEADLINE_S = 5.0
TICK_S = 0.05


class Pass(Stage):
    def process(self, frame):
        return frame


class FakeChildren:
    """Starts nothing, and notes what is to be killed."""

    def __init__(self):
        self.killed = []

    def start(self, identity, main, options):
        pass

    def kill(self, identity):
        self.killed.append(identity)


@pytest.fixture
def children():
    return FakeChildren()


@pytest.fixture
def crew(children):
    """A crew of one handler, which was given a piece of work at 100 s and looked at ever since."""
    plan = make_plan([("pass", Pass())], spread=True)
    crew = Crew(children, plan, size=1, deadline_s=DEADLINE_S)
    crew.start_due("address", 99.0)
    (identity,) = crew.identities
    crew.is_now_ready(identity, 99.0)
    look(crew, 99.0, 100.0)
    crew.find(identity).gave(100.0)
    return crew


def look(crew, from_s, until_s):
    """Look for handlers that hang, many times a second."""
    for tick in range(1, round((until_s - from_s) / TICK_S) + 1):
        crew.kill_overdue(from_s + tick * TICK_S)


def test_a_handler_that_hangs_is_killed_after_its_deadline_and_once(crew, children):
    look(crew, 100.0, 100.0 + DEADLINE_S)
    assert children.killed == []
    look(crew, 100.0 + DEADLINE_S, 102.0 + DEADLINE_S)
    assert children.killed == crew.identities


def start_next(crew, now_s):
    """Start the successor of the handler that has died, whenever it is due."""
    for _ in range(100):
        crew.start_due("address", now_s)
        if crew.identities:
            (identity,) = crew.identities
            return identity
        now_s += 0.1
    raise AssertionError("there is no successor")


def fail_again_and_again(crew, now_s):
    """Have one handler after the other say that it has no memory, and die before it is ready."""
    for _ in range(100):
        identity = start_next(crew, now_s)
        crew.find(identity).failure = "no memory"
        crew.bury(identity, now_s + 1)
        now_s += 10


def test_successors_are_tried_for_a_while_and_then_the_last_one_says_why(crew):
    (identity,) = crew.identities
    crew.bury(identity, 101.0)
    with pytest.raises(GraphError, match=r"10 handler processes in a row .* no memory"):
        fail_again_and_again(crew, 110.0)
    assert crew.restarts == 10


def test_handlers_that_are_never_ready_end_the_graph_soon(children):
    crew = Crew(children, make_plan([("pass", Pass())], spread=True), size=1, deadline_s=5.0)
    with pytest.raises(GraphError, match=r"3 handler processes in a row .* no memory"):
        fail_again_and_again(crew, 10.0)


def test_a_successor_that_hangs_while_it_opens_is_killed_and_a_first_one_is_not(children):
    crew = Crew(children, make_plan([("pass", Pass())], spread=True), size=1, deadline_s=5.0)
    first = start_next(crew, 0.0)
    look(crew, 0.0, 40.0)
    assert children.killed == []
    crew.is_now_ready(first, 40.0)  # so its successor may take as long, and longer
    crew.bury(first, 41.0)
    second = start_next(crew, 41.0)
    look(crew, 41.0, 41.0 + 100.0)
    assert children.killed == []
    look(crew, 41.0 + 100.0, 41.0 + 130.0)
    assert children.killed == [second]


def test_a_handler_without_work_is_left_alone(crew, children):
    (identity,) = crew.identities
    crew.find(identity).returned(101.0)
    look(crew, 100.0, 120.0)
    assert children.killed == []


def test_time_in_which_all_processes_were_stopped_does_not_count(crew, children):
    look(crew, 100.0, 102.0)
    look(crew, 1000.0, 1000.0 + DEADLINE_S - 2.2)
    assert children.killed == []
    look(crew, 1000.0 + DEADLINE_S - 2.2, 1002.0 + DEADLINE_S)
    assert children.killed == crew.identities
