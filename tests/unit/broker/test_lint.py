import pytest

from sightline.broker.lint import WorkerShape, check_settings, lint
from sightline.broker.options import BrokerError, BrokerOptions
from sightline.broker.settings import celery_settings, visibility_timeout_s

REDIS = BrokerOptions(url="redis://broker/0")
RABBITMQ = BrokerOptions(url="amqp://broker//")


def complaints(options=REDIS, worker=None, **extra):
    settings = {**celery_settings(options), **extra}
    return {c.setting: c.reason for c in lint(settings, options=options, worker=worker)}


@pytest.mark.parametrize("options", [REDIS, RABBITMQ], ids=["redis", "rabbitmq"])
@pytest.mark.parametrize("autoscales", [False, True])
def test_our_own_settings_are_good(options, autoscales):
    assert complaints(options, WorkerShape(autoscales=autoscales)) == {}


def test_a_setting_that_never_was_is_refused_with_what_to_do_instead():
    found = complaints(CELERYD_AUTOSCALER_SETTINGS={"max": 8, "min": 2})
    assert "--autoscale MAX,MIN" in found["CELERYD_AUTOSCALER_SETTINGS"]


def test_an_old_name_is_refused_with_the_new_one():
    assert "worker_concurrency" in complaints(CELERYD_CONCURRENCY=2)["CELERYD_CONCURRENCY"]


def test_a_name_that_is_nearly_right_is_refused_with_the_right_one():
    found = complaints(worker_prefetch_multiplyer=1)
    assert "did you mean worker_prefetch_multiplier?" in found["worker_prefetch_multiplyer"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task_acks_late", False),
        ("task_reject_on_worker_lost", False),
        ("task_serializer", "pickle"),
        ("accept_content", ["json", "pickle"]),
        ("worker_prefetch_multiplier", 4),
        ("worker_cancel_long_running_tasks_on_connection_loss", True),
        ("task_always_eager", True),
        ("task_ignore_result", False),
    ],
)
def test_what_loses_or_doubles_work_is_refused(name, value):
    assert set(complaints(**{name: value})) == {name}


def test_a_visibility_timeout_that_ends_before_messages_are_let_go_is_refused():
    transport = {"visibility_timeout": 300.0}
    assert set(complaints(broker_transport_options=transport)) == {"broker_transport_options"}
    assert set(complaints(broker_transport_options={})) == {"broker_transport_options"}


@pytest.mark.parametrize("name", ["task_time_limit", "task_soft_time_limit"])
def test_any_time_limit_is_refused(name):
    assert "may take hours" in complaints(**{name: 86400.0})[name]


def test_the_visibility_timeout_follows_from_how_long_messages_are_held():
    long = BrokerOptions(url=REDIS.url, hold_s=1200)
    assert visibility_timeout_s(long) > 2 * 1200
    assert complaints(long) == {}


@pytest.mark.parametrize("hold_s", [0.0, 1800.0, float("inf"), float("nan")])
def test_messages_are_not_held_for_longer_than_rabbitmq_allows(hold_s):
    with pytest.raises(BrokerError, match="hold_s"):
        BrokerOptions(url=RABBITMQ.url, hold_s=hold_s)


def test_quorum_queues_are_refused_with_autoscale_alone():
    quorum = {"task_default_queue_type": "quorum"}
    found = complaints(RABBITMQ, WorkerShape(autoscales=True), **quorum)
    assert "--concurrency" in found["task_default_queue_type"]
    assert complaints(RABBITMQ, WorkerShape(autoscales=False), **quorum) == {}


@pytest.mark.parametrize("pool", ["solo", "threads", "gevent"])
def test_other_pools_than_processes_are_refused(pool):
    options = BrokerOptions(url=RABBITMQ.url, extra={"worker_pool": pool})
    assert "celery#3430" in complaints(options)["worker_pool"]


@pytest.mark.parametrize("name", ["worker_concurrency", "broker_url", "task_queues"])
def test_what_has_an_option_or_is_fixed_cannot_be_set(name):
    options = BrokerOptions(url=REDIS.url, extra={name: "x"})
    assert "cannot be set" in complaints(options)[name]


def test_all_that_is_wrong_is_told_in_one_line():
    settings = {**celery_settings(REDIS), "CELERY_AUTOSCALE": "8,2", "task_acks_late": False}
    with pytest.raises(BrokerError) as told:
        check_settings(settings, options=REDIS)
    assert "CELERY_AUTOSCALE" in str(told.value)
    assert "task_acks_late" in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("url", ["kafka://broker", "broker:6379", "http://broker", ""])
def test_an_address_that_is_none_of_a_broker_is_refused(url):
    with pytest.raises(BrokerError, match="redis://"):
        BrokerOptions(url=url)


def test_passwords_are_never_shown():
    options = BrokerOptions(url="amqp://ann:s3cret@broker//")
    assert "s3cret" not in options.shown_url + repr(options)
    with pytest.raises(BrokerError) as told:
        BrokerOptions(url="kafka://ann:s3cret@broker")
    assert "s3cret" not in str(told.value)
