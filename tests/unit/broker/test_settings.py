import pytest

from sightline.broker.application import FOLLOW, PROCESS, WORK, make_celery, task_of
from sightline.broker.options import BrokerError, BrokerOptions
from sightline.broker.orders import StandingOrders
from sightline.broker.settings import FOREIGN_QUEUE
from sightline.jobs.minder import Orders
from sightline.jobs.states import Queue

OPTIONS = BrokerOptions(url="redis://broker/0")


def test_every_queue_has_a_task_and_long_ones_are_acknowledged_early():
    application = make_celery(OPTIONS)
    for queue in Queue:
        task = application.tasks[task_of(queue)]
        assert task.acks_late is (queue in (Queue.INGEST, Queue.DETECT))
        assert (task.time_limit is None) is not task.acks_late
    assert {WORK, FOLLOW, PROCESS} <= set(application.tasks)


def test_workers_listen_to_no_queues_but_ours_and_that_of_strangers():
    queues = make_celery(OPTIONS).amqp.queues
    assert set(queues) == {*Queue, FOREIGN_QUEUE}


def test_a_process_without_hands_does_no_work():
    application = make_celery(OPTIONS)
    with pytest.raises(RuntimeError, match="does no work"):
        application.tasks[WORK]("detect")


def test_settings_that_are_added_are_checked():
    with pytest.raises(BrokerError, match="worker_concurency"):
        make_celery(BrokerOptions(url=OPTIONS.url, extra={"worker_concurency": 4}))
    added = make_celery(BrokerOptions(url=OPTIONS.url, extra={"worker_max_tasks_per_child": 4}))
    assert added.conf.worker_max_tasks_per_child == 4


def test_orders_are_those_that_were_given_last():
    orders = StandingOrders()
    assert orders.current() is Orders.GO_ON
    for given in Orders:
        orders.give(given)
        assert orders.current() is given
