"""Handlers that take too long are killed; those that were stopped with everybody else are not."""

import pytest

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
