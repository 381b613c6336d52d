"""Brokers for tests: one of each for all tests of a process, empty when a test begins."""

import pytest
from tests.broker_servers import RabbitServer, RedisServer, is_there


def _serving(kind, missing, tmp_path_factory):
    if not is_there(kind):
        missing(f"the Debian package {kind.package}")
    with kind(tmp_path_factory.mktemp(kind.package)) as server:
        yield server


@pytest.fixture(scope="session")
def _redis(missing, tmp_path_factory):
    yield from _serving(RedisServer, missing, tmp_path_factory)


@pytest.fixture(scope="session")
def _rabbitmq(missing, tmp_path_factory):
    yield from _serving(RabbitServer, missing, tmp_path_factory)


@pytest.fixture
def redis(_redis):
    """A Redis that runs, and is empty."""
    _redis.empty()
    return _redis


@pytest.fixture
def rabbitmq(_rabbitmq):
    """A RabbitMQ that runs, and whose queues are empty."""
    _rabbitmq.empty()
    return _rabbitmq
