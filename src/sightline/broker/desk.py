"""What a worker process does when a message comes: claim the oldest task of a queue, and do it.

One lies in every process of a worker's pool; it is opened there, since connections, models and
threads must not come through a fork.
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sightline.broker.wakeups import BrokerAwayError, WakeUps
from sightline.jobs.confinement import bound_memory
from sightline.jobs.minder import Minder, TaskWatch
from sightline.jobs.states import Queue, TaskKind, queue_of
from sightline.jobs.work import do_task
from sightline.processors import limit_cores
from sightline.transport.host import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from celery import Celery

    from sightline.broker.orders import StandingOrders
    from sightline.jobs.model import Lease
    from sightline.jobs.workplace import Workplace

__all__ = ["Desk", "DeskOptions"]

_log = logging.getLogger(__name__)

_NICENESS = 5
_STALL_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskOptions:
    """How the processes of a worker work.

    Attributes:
        worker: Name of the worker; its processes add their numbers.
        queues: What it serves.
        open_workplace: Makes a workplace; called in each process.
        submit: Makes a job of what another program asks for by name: of the fields, and of what
            tells this request from others; returns the job's id.
        warm: Definition of the pipeline whose models are loaded before the first task; None: none.
        threads: How many threads libraries may use for one frame.
        memory_bytes: Bound on the memory that a process may write to; None: none.
        stall_s: A task that has not reported for so long ends its process.
    """

    worker: str
    queues: tuple[Queue, ...]
    open_workplace: Callable[[], Workplace]
    submit: Callable[[Workplace, dict[str, Any], str], str]
    warm: Mapping[str, Any] | None = None
    threads: int = 1
    memory_bytes: int | None = None
    stall_s: float = _STALL_S


@dataclass(slots=True)
class Desk:
    """The work of one process; `application.Hands`.

    Attributes:
        options: How it works.
        orders: What the worker's main process says, shared by all of them.
    """

    options: DeskOptions
    orders: StandingOrders
    _open: _OpenDesk | None = field(default=None, init=False)

    def open(self, application: Celery) -> None:
        """Begin in a new process of the pool; returns before models are loaded."""
        die_with_parent()
        os.nice(_NICENESS)
        if self.options.memory_bytes is not None:
            bound_memory(self.options.memory_bytes)
        limit_cores(self.options.threads)
        self._open = _OpenDesk(self.options, self.orders, application)

    def work(self, queue: Queue) -> None:
        """Do the oldest ready task of a queue, if there is one."""
        self._here.work(queue)

    def submit(self, fields: dict[str, Any], *, message_id: str) -> str:
        """Submit a job; return its id."""
        return self._here.submit(fields, message_id)

    def close(self) -> None:
        """Release what the process holds."""
        if self._open is not None:
            self._open.close()

    @property
    def _here(self) -> _OpenDesk:
        if self._open is None:
            raise RuntimeError("the desk was not opened in this process")
        return self._open


class _OpenDesk:
    """A desk in its process."""

    def __init__(self, options: DeskOptions, orders: StandingOrders, application: Celery) -> None:
        self._options = options
        self._name = f"{options.worker}:{os.getpid()}"
        self._place = options.open_workplace()
        self._wakeups = WakeUps(application, self._place.store)
        self._watch = TaskWatch()
        self._minder = Minder(
            self._watch, name=self._name, orders=orders.current, stall_s=options.stall_s
        )
        self._minder.start()
        # The pool kills a process that takes long to say that it is there; a model may take longer.
        self._warming = threading.Thread(target=self._warm_up, name="warm-up", daemon=True)
        self._warming.start()

    def work(self, queue: Queue) -> None:
        self._warming.join()
        lease = self._place.store.claim(TaskKind, queues=[queue], **self._claimant())
        if lease is not None:
            self._do(lease)

    def submit(self, fields: dict[str, Any], message_id: str) -> str:
        job_id = self._options.submit(self._place, fields, message_id)
        self._wake({TaskKind.INGEST})
        return job_id

    def close(self) -> None:
        self._minder.close()
        self._place.close()

    def _claimant(self) -> dict[str, Any]:
        place = self._place
        return {"worker": self._name, "policy": place.policy, "now_s": place.clock()}

    def _do(self, lease: Lease) -> None:
        with self._watch.task():
            news = do_task(
                lease, self._place, watch=self._watch.add, assist=self._assist_for(lease)
            )
        self._wake(news)

    def _assist_for(self, lease: Lease) -> Callable[[str], bool] | None:
        """Have a final pass do chunks itself where it may hold the place of whoever would."""
        queue = queue_of(TaskKind.CHUNK, lease.job.spec.priority)
        return self._assist if queue in self._options.queues else None

    def _assist(self, job_id: str) -> bool:
        try:
            lease = self._place.store.claim_chunk(job_id, **self._claimant())
            if lease is None:
                return False
            self._do(lease)
        except OSError as error:  # the store is away: asked again; the lease ends by itself
            _log.warning("cannot do a chunk meanwhile job=%s error=%s", job_id, error)
            return False
        return True

    def _wake(self, kinds: Any) -> None:
        """Wake workers for tasks that may be ready now; what fails is left to the next sweep."""
        if not kinds:
            return
        try:
            self._wakeups.top_up()
        except BrokerAwayError as error:
            _log.warning("cannot wake workers worker=%s error=%s", self._name, error)

    def _warm_up(self) -> None:
        warm = self._options.warm
        if warm is None or not {Queue.DETECT, Queue.INTERACTIVE} & set(self._options.queues):
            return
        try:
            self._place.pipelines.get(warm)
        except Exception:  # noqa: BLE001 - a job that needs it will say so to its client
            _log.exception("cannot warm up worker=%s", self._name)
