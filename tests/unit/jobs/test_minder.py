import threading

import pytest
from tests.graph_witness import until

from sightline.jobs.heartbeat import Heartbeat, LeaseReturnedError
from sightline.jobs.minder import Minder, Orders, TaskWatch
from sightline.jobs.store import LeasePolicy


def heartbeat():
    """A heartbeat that does not beat."""
    return Heartbeat(None, None, policy=LeasePolicy())


@pytest.fixture
def minded():
    """A watch that is minded, with what is told to it and by it."""

    class Minded:
        orders = Orders.GO_ON
        moves = 0

        def __init__(self):
            self.watch = TaskWatch()
            self.minder = Minder(
                self.watch, name="w", orders=lambda: self.orders, on_move=self.note
            )

        def note(self):
            self.moves += 1

    made = Minded()
    made.minder.start()
    yield made
    made.minder.close()


def test_it_tells_that_a_task_moves_and_no_more_when_it_has_ended(minded):
    task = heartbeat()
    with minded.watch.task():
        minded.watch.add(task)
        until(lambda: minded.moves == 1)
        task.report()
        until(lambda: minded.moves == 2)
    assert minded.watch.heartbeats == []


def test_of_a_task_inside_another_it_is_the_inner_one_that_moves(minded):
    outer, inner = heartbeat(), heartbeat()
    with minded.watch.task():
        minded.watch.add(outer)
        until(lambda: minded.moves == 1)
        with minded.watch.task():
            minded.watch.add(inner)
            until(lambda: minded.moves == 2)
            inner.report()
            until(lambda: minded.moves == 3)
        assert minded.watch.heartbeats == [outer]


@pytest.mark.parametrize("orders", [Orders.FINISH, Orders.GIVE_BACK])
def test_orders_reach_every_task(minded, orders):
    tasks = [heartbeat(), heartbeat()]
    with minded.watch.task():
        for task in tasks:
            minded.watch.add(task)
        assert not any(task.worker_ends for task in tasks)
        minded.orders = orders
        until(lambda: all(task.worker_ends for task in tasks))
        for task in tasks:
            if orders is Orders.GIVE_BACK:
                until(lambda task=task: task.is_ignored)
                with pytest.raises(LeaseReturnedError):
                    task.report()
            else:
                task.report()


def test_a_minder_that_was_never_started_can_be_closed():
    threads = threading.active_count()
    Minder(TaskWatch(), name="w", orders=lambda: Orders.GO_ON).close()
    assert threading.active_count() == threads
