from tests.broker_fixtures import _rabbitmq, _redis, rabbitmq, redis
from tests.job_fixtures import service, street

__all__ = ["_rabbitmq", "_redis", "rabbitmq", "redis", "service", "street"]
