"""The settings of Celery: one place for the service, the workers, Flower, and whoever else joins.

Every process on a Redis broker must agree on the visibility timeout, since each gives messages back
that are older than its own. Why each setting is as it is stands beside it; `lint` refuses others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.entity import Queue as KombuQueue

from sightline.jobs.states import Queue

if TYPE_CHECKING:
    from sightline.broker.options import BrokerOptions

__all__ = ["FOREIGN_QUEUE", "celery_settings", "visibility_timeout_s"]

FOREIGN_QUEUE = "celery"
"""Where `send_task` of a program that knows nothing of our queues puts its messages."""

_CONNECT_S = 5.0
_SOCKET_S = 30.0
_HEALTH_CHECK_S = 25
_PROCESS_START_S = 120.0


def visibility_timeout_s(options: BrokerOptions) -> float:
    """Say after which time Redis gives a message back that nobody has acknowledged.

    Three times as long as a worker holds one at most: an earlier return would wake others in vain.
    """
    return 3 * options.hold_s


def celery_settings(options: BrokerOptions) -> dict[str, Any]:
    """Make the settings for an application."""
    return {
        "broker_url": options.url,
        "broker_connection_timeout": _CONNECT_S,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # a broker that is away for a night comes back, too
        "broker_transport_options": _transport_options(options),
        "accept_content": ["json"],  # whoever can write to the broker must not run code by it
        "task_serializer": "json",
        "result_serializer": "json",
        "event_serializer": "json",
        "task_ignore_result": True,  # the rows say what became of a task
        "task_store_errors_even_if_ignored": False,
        "task_acks_late": True,  # a wake-up outlives the worker that is killed with it
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,  # what waits in a worker nobody else can take
        # A task goes on while the broker is away: the store, not the broker, says who does it.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # Processes load models before they say that they are there; the default of 4 s kills them.
        "worker_proc_alive_timeout": _PROCESS_START_S,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "task_create_missing_queues": False,
        "task_default_queue": FOREIGN_QUEUE,
        "task_queues": [KombuQueue(str(name)) for name in (*Queue, FOREIGN_QUEUE)],  # type: ignore[no-untyped-call]
        "task_routes": {},
        "timezone": "UTC",
        **options.extra,
    }


def _transport_options(options: BrokerOptions) -> dict[str, Any]:
    if options.is_amqp:
        return {"confirm_publish": True}  # what the broker has not taken is known at once
    return {
        "visibility_timeout": visibility_timeout_s(options),
        "socket_connect_timeout": _CONNECT_S,
        "socket_timeout": _SOCKET_S,
        "socket_keepalive": True,
        "health_check_interval": _HEALTH_CHECK_S,
    }
