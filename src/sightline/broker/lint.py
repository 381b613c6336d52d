"""Refuses settings of Celery that do nothing, or that lose or double work.

Celery itself accepts any name without a word, so that `CELERYD_AUTOSCALER_SETTINGS` looks as if it
set something. Sources: Celery's configuration reference, and its issues where a rule names one.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from celery.app.defaults import _OLD_SETTING_KEYS, _TO_NEW_KEY, SETTING_KEYS

from sightline.broker.options import BrokerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sightline.broker.options import BrokerOptions

__all__ = ["Complaint", "WorkerShape", "check_settings", "lint"]

_NEVER_WAS = {
    "CELERYD_AUTOSCALER_SETTINGS": "there is no such setting, and never was; the bounds of "
    "autoscale are an option of the worker: --autoscale MAX,MIN",
    "CELERY_AUTOSCALE": "there is no such setting; say --autoscale MAX,MIN",
    "worker_autoscale": "there is no such setting; say --autoscale MAX,MIN",
}
_REQUIRED = {
    "task_acks_late": (True, "a worker that is killed would take its wake-ups along"),
    "task_reject_on_worker_lost": (True, "a worker that is killed would take its wake-up along"),
    "task_ignore_result": (True, "results are in the store; copies in the broker only fill it"),
    "task_serializer": ("json", "whoever can write to the broker could run code with another one"),
    "worker_prefetch_multiplier": (1, "what waits in one worker nobody else can take"),
    "worker_cancel_long_running_tasks_on_connection_loss": (
        False,
        "a chunk that is nearly done would be begun anew whenever the broker is restarted",
    ),
    "task_always_eager": (False, "the service would do the work itself, inside a request"),
}


_OURS = {
    "broker_url": "say --broker",
    "worker_concurrency": "say --concurrency",
    "worker_pool": "workers have processes (prefork): threads and solo cannot end a task that "
    "hangs (celery#8147), and solo loses its connection to RabbitMQ during a task (celery#3430)",
    "task_queues": "the queues are those of the service; say --queues which to serve",
    "task_default_queue": "it is where messages of other programs arrive",
    "task_routes": "queues follow from what a task is",
}


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a setting.

    Attributes:
        setting: Its name.
        reason: What it does wrong, and what to do instead.
    """

    setting: str
    reason: str

    def __str__(self) -> str:
        return f"{self.setting}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerShape:
    """How a worker is started, as far as settings can be in its way.

    Attributes:
        autoscales: The number of its processes varies.
    """

    autoscales: bool = False


def lint(
    settings: Mapping[str, Any], *, options: BrokerOptions, worker: WorkerShape | None = None
) -> list[Complaint]:
    """Look for settings that are dead or dangerous.

    Args:
        settings: All of them, ours and those that were added.
        options: How the broker is reached.
        worker: How the worker is started; None: this is no worker.
    """
    worker = worker or WorkerShape()
    return [
        *_names(settings),
        *(
            Complaint(name, f"cannot be set: {_OURS[name]}")
            for name in options.extra
            if name in _OURS
        ),
        *_required(settings),
        *_times(settings, options),
        *_autoscale(settings, worker),
    ]


def check_settings(
    settings: Mapping[str, Any], *, options: BrokerOptions, worker: WorkerShape | None = None
) -> None:
    """Refuse settings that are dead or dangerous; see `lint`.

    Raises:
        BrokerError: There are some; it names them all.
    """
    complaints = lint(settings, options=options, worker=worker)
    if complaints:
        raise BrokerError(f"settings of Celery: {'; '.join(map(str, complaints))}")


def _names(settings: Mapping[str, Any]) -> Iterator[Complaint]:
    for name in settings:
        if name in _NEVER_WAS:
            yield Complaint(name, _NEVER_WAS[name])
        elif name in _OLD_SETTING_KEYS and name not in SETTING_KEYS:
            yield Complaint(
                name,
                f"this is the old name of {_TO_NEW_KEY[name]}; Celery refuses old and new "
                "names together",
            )
        elif name not in SETTING_KEYS:
            yield Complaint(name, f"Celery knows no such setting{_meant(name, SETTING_KEYS)}")


def _meant(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name.lower(), sorted(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _required(settings: Mapping[str, Any]) -> Iterator[Complaint]:
    for name, (value, reason) in _REQUIRED.items():
        if name in settings and settings[name] != value:
            yield Complaint(name, f"must be {value!r}, not {settings[name]!r}: {reason}")
    unsafe = set(settings.get("accept_content", ())) - {"json", "application/json"}
    if unsafe:
        reason = "whoever can write to the broker could run code with another format"
        yield Complaint("accept_content", f"must be ['json'], not with {sorted(unsafe)}: {reason}")


def _times(settings: Mapping[str, Any], options: BrokerOptions) -> Iterator[Complaint]:
    transport = settings.get("broker_transport_options", {})
    visibility_s = transport.get("visibility_timeout", settings.get("visibility_timeout"))
    if not options.is_amqp:
        if visibility_s is None:
            yield Complaint(
                "broker_transport_options",
                "must have a visibility_timeout: each process gives back what is older than its"
                " own",
            )
        elif visibility_s <= options.hold_s:
            yield Complaint(
                "broker_transport_options",
                f"visibility_timeout of {visibility_s:g} s must be longer than the "
                f"{options.hold_s:g} s for which workers hold a message: Redis would wake more and "
                "more workers for one task (celery#5935)",
            )
    for name in ("task_time_limit", "task_soft_time_limit"):
        if settings.get(name) is not None:
            yield Complaint(
                name,
                f"must not be set, here to {settings[name]!r}: a download, a chunk or a final pass "
                "may take hours, and the process of one that hangs is ended anyway",
            )


def _autoscale(settings: Mapping[str, Any], worker: WorkerShape) -> Iterator[Complaint]:
    if worker.autoscales and settings.get("task_default_queue_type") == "quorum":
        yield Complaint(
            "task_default_queue_type",
            "quorum queues do not work with --autoscale: their quality of service is static; "
            "use --concurrency",
        )
