"""Wake-ups on both kinds of broker: counted, topped up, and errors of a broker that is away."""

import time

import pytest
from tests.job_service import until

from sightline.broker.application import make_celery
from sightline.broker.executor import CeleryExecutor
from sightline.broker.options import BrokerOptions
from sightline.broker.wakeups import BrokerAwayError, WakeUps
from sightline.jobs.states import Priority, Queue
from sightline.jobs.worker_board import WorkerBoard, WorkerCard

NONE = dict.fromkeys(Queue, 0)


@pytest.fixture(params=["redis", "rabbitmq"])
def server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def wakeups(service, server):
    return WakeUps(make_celery(BrokerOptions(url=server.url)), service.store)


def test_every_ready_task_gets_a_message_and_no_second_one(service, street, wakeups):
    assert (wakeups.top_up(), wakeups.waiting()) == (0, NONE)
    for _ in range(3):
        service.submit(street[0])
    service.submit(street[0], priority=Priority.INTERACTIVE)
    assert wakeups.top_up() == 4
    assert wakeups.waiting() == {**NONE, Queue.INGEST: 3, Queue.INTERACTIVE: 1}
    assert wakeups.top_up() == 0
    service.submit(street[0])
    assert wakeups.top_up([Queue.DETECT]) == 0
    assert wakeups.top_up() == 1


def test_messages_that_the_broker_has_lost_are_found_missing(service, street, server, wakeups):
    service.submit(street[0])
    wakeups.top_up()
    server.empty()
    assert wakeups.top_up() == 1
    assert wakeups.waiting()[Queue.INGEST] == 1


def test_a_broker_that_is_away_is_one_kind_of_error_and_found_again(service, street, server):
    wakeups = WakeUps(make_celery(BrokerOptions(url=server.url)), service.store)
    executor = CeleryExecutor(wakeups, WorkerBoard(service.database))
    service.submit(street[0])
    server.kill()
    try:
        with pytest.raises(BrokerAwayError, match="does not answer"):
            wakeups.top_up()
        executor.start()
        until(lambda: not executor.broker_is_up)
    finally:
        server.start()
    until(lambda: executor.broker_is_up)
    assert wakeups.waiting()[Queue.INGEST] == 1
    executor.close()


def test_the_executor_tells_of_workers_that_were_heard_of_lately(service, redis):
    board = WorkerBoard(service.database)
    wakeups = WakeUps(make_celery(BrokerOptions(url=redis.url)), service.store)
    executor = CeleryExecutor(wakeups, board)
    now_s = time.time()
    card = {"host": "h", "queues": (Queue.DETECT,), "slots": 2, "lost": 1, "started_at": 1.0}
    board.post(WorkerCard(name="one", pid=7, busy=1, seen_at=now_s, **card))
    board.post(WorkerCard(name="old", pid=8, busy=1, seen_at=now_s - 3600, **card))
    assert executor.workers() == ()
    executor.start()
    assert [(w.name, w.kinds, w.state, w.pid) for w in executor.workers()] == [
        ("one:0", ("chunk",), "busy", 7),
        ("one:1", ("chunk",), "idle", 7),
    ]
    assert (executor.restarts, executor.is_ready) == (1, True)
    board.post(WorkerCard(name="one", pid=7, busy=0, seen_at=now_s, **card))
    assert {worker.state for worker in executor.workers()} == {"idle"}
    board.remove("one")
    board.sweep(now_s)
    assert executor.workers() == ()
    executor.close()
