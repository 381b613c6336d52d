"""Children of a killed parent, in real processes."""

import select
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from sightline.transport.host import ProcessWatch

FAMILY = Path(__file__).with_name("family.py")


@contextmanager
def family(method, task=""):
    """Start a parent and its child; give the parent's process and a watch on the child."""
    with subprocess.Popen(
        [sys.executable, FAMILY, method, task],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        try:
            with ProcessWatch(int(parent.stdout.readline())) as child:
                yield parent, child
        finally:
            parent.kill()


def is_dead(child, timeout_s=60):
    poll = select.poll()
    poll.register(child, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


@pytest.mark.parametrize("method", ["forkserver", "spawn", "fork", "subprocess"])
def test_a_child_dies_with_its_parent_however_it_was_started(method):
    with family(method) as (parent, child):
        assert not is_dead(child, timeout_s=0)

        parent.kill()

        assert is_dead(child)


@pytest.mark.parametrize("method", ["forkserver", "spawn", "fork"])
def test_a_child_dies_that_is_busy_in_a_c_function_which_holds_the_interpreter(method):
    with family(method, "holds the lock") as (parent, child):
        parent.kill()

        assert is_dead(child)


def test_a_child_does_not_die_with_the_thread_that_started_it():
    with family("fork", "outlives a thread") as (parent, child):
        assert not is_dead(child, timeout_s=0)

        parent.kill()

        assert is_dead(child)


def test_a_child_dies_whose_parent_was_dead_before_it_could_ask_for_it():
    with family("fork", "asks late") as (parent, child):
        parent.kill()
        parent.wait()
        assert not is_dead(child, timeout_s=0)

        parent.stdin.close()

        assert is_dead(child)
