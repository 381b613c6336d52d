import pytest

from sightline.broker.application import PROCESS, WORK, make_celery
from sightline.broker.options import BrokerError, BrokerOptions
from sightline.broker.orders import StandingOrders
from sightline.broker.settings import FOREIGN_QUEUE
from sightline.jobs.minder import Orders
from sightline.jobs.states import Queue

OPTIONS = BrokerOptions(url="redis://broker/0")


def test_no_task_of_a_job_has_a_time_limit_and_all_are_acknowledged_late():
    application = make_celery(OPTIONS)
    assert {WORK, PROCESS} <= set(application.tasks)
    assert application.tasks[WORK].time_limit is None
    assert application.tasks[WORK].soft_time_limit is None
    assert application.tasks[WORK].acks_late
    assert application.tasks[PROCESS].acks_late


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
