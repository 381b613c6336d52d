"""A worker: a Celery worker with processes that do jobs' tasks, and what keeps it honest.

main process                                          processes of the pool
┌───────────────────────────────────────────────┐     ┌───────────────────────────────┐
│ Celery: messages, pool, autoscale, signals    │────►│ desk: claims a task, does it, │
│ held messages: lets go of them in time        │     │ wakes others                  │
│ attendant: lost processes, card, sweeps       │     │                               │
│ health: /livez, /readyz                       │     └───────────────────────────────┘
└───────────────────────────────────────────────┘
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from celery import signals
from celery.bootsteps import StartStopStep
from celery.worker import state as celery_state

from sightline.broker.application import make_celery
from sightline.broker.attendant import Attendant, Office, Pool, Signs
from sightline.broker.desk import Desk, DeskOptions
from sightline.broker.health import HealthServer
from sightline.broker.held_messages import HeldMessages
from sightline.broker.lint import WorkerShape, check_settings
from sightline.broker.orders import StandingOrders
from sightline.broker.settings import FOREIGN_QUEUE, celery_settings
from sightline.broker.wakeups import WakeUps
from sightline.jobs.files import Storage
from sightline.jobs.housekeeping import Housekeeper
from sightline.jobs.minder import Orders
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.states import Queue
from sightline.jobs.worker_board import WorkerBoard, WorkerCard
from sightline.processors import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sightline.broker.options import BrokerOptions
    from sightline.jobs.crew_size import CrewSize
    from sightline.jobs.sql.database import Database
    from sightline.jobs.store import LeasePolicy
    from sightline.jobs.workplace import Workplace

__all__ = ["CeleryWorkerOptions", "run_worker"]

_log = logging.getLogger(__name__)

_LOOP_TICK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CeleryWorkerOptions:
    """How a worker is set up.

    Attributes:
        broker: Where messages come from.
        queues: What it serves.
        processes: How many processes its pool has, at least and at most.
        open_workplace: Makes a workplace; called in each process.
        submit: See `DeskOptions`.
        policy: When work is given up.
        warm: Definition of the pipeline whose models are loaded first; None: none.
        copies: The data folder, if it holds copies of files that are kept elsewhere; None: it is
            the service's.
        drain_s: Tasks that end within this time after SIGTERM are finished, others given back.
        health_host: Address for `/livez` and `/readyz`.
        health_port: TCP port for them, 0 for a free one; None: none.
        threads: How many threads libraries may use for one frame; None: the cores, divided by the
            processes.
        memory_bytes: Bound on the memory that a process may write to; None: none.
        events: Celery's events are sent, which Flower shows.
    """

    broker: BrokerOptions
    queues: tuple[Queue, ...]
    processes: CrewSize
    open_workplace: Callable[[], Workplace]
    submit: Callable[[Workplace, dict[str, Any], str], str]
    policy: LeasePolicy
    warm: Mapping[str, Any] | None = None
    copies: Path | None = None
    drain_s: float = 60.0
    health_host: str = "127.0.0.1"
    health_port: int | None = None
    threads: int | None = None
    memory_bytes: int | None = None
    events: bool = False

    @property
    def shape(self) -> WorkerShape:
        """What settings must fit."""
        return WorkerShape(autoscales=self.processes.least < self.processes.most)


def run_worker(
    options: CeleryWorkerOptions,
    database: Database,
    *,
    on_ready: Callable[[int | None], object] = lambda _: None,
) -> int:
    """Work until SIGTERM, SIGINT or SIGQUIT; must be called by the main thread.

    Args:
        options: How the worker is set up.
        database: Of the service; its tables are up to date.
        on_ready: Called when messages are taken, with the port of its health.

    Returns:
        The exit status: 0 after SIGTERM.

    Raises:
        BrokerError: The broker's address or its settings cannot be used.
        OutputError: The port of the health cannot be had.
    """
    check_settings(celery_settings(options.broker), options=options.broker, worker=options.shape)
    worker = _Worker(options, database, on_ready)
    return worker.run()


class _Worker:
    """One worker in its main process."""

    def __init__(
        self,
        options: CeleryWorkerOptions,
        database: Database,
        on_ready: Callable[[int | None], object],
    ) -> None:
        self._options = options
        self._database = database
        self._on_ready = on_ready
        self._name = f"{socket.gethostname()}:{secrets.token_hex(4)}"
        self._signs = Signs()
        self._held = HeldMessages(options.broker.hold_s)
        self._orders = StandingOrders()
        self._desk = Desk(self._desk_options(), self._orders)
        self._application = make_celery(options.broker, hands=self._desk)
        self._celery: Any = None
        self._draining = threading.Timer(
            options.drain_s, lambda: self._orders.give(Orders.GIVE_BACK)
        )
        self._draining.daemon = True

    def run(self) -> int:
        options = self._options
        with ExitStack() as stack:
            port = None
            if options.health_port is not None:
                health = HealthServer(
                    self._signs, host=options.health_host, port=options.health_port
                )
                port = stack.enter_context(health).port
            self._connect_signals(lambda: self._on_ready(port))
            self._application.steps["worker"].add(_loop_step(self._note_loop))
            self._celery = self._make_worker()
            attendant = self._make_attendant()
            attendant.start()
            stack.callback(attendant.close)
            stack.callback(self._draining.cancel)
            self._celery.start()
        return int(self._celery.exitcode or 0)

    def _desk_options(self) -> DeskOptions:
        options = self._options
        return DeskOptions(
            worker=self._name,
            queues=options.queues,
            open_workplace=options.open_workplace,
            submit=options.submit,
            warm=options.warm,
            threads=options.threads or max(1, usable_cores() // options.processes.most),
            memory_bytes=options.memory_bytes,
        )

    def _make_worker(self) -> Any:
        options, size = self._options, self._options.processes
        # Whoever serves ingest also hears of programs that know our task but not our queues.
        foreign = [FOREIGN_QUEUE] if Queue.INGEST in options.queues else []
        return self._application.Worker(
            hostname=f"sightline-{self._name.replace(':', '-')}@{socket.gethostname()}",
            queues=[*options.queues, *foreign],
            pool="prefork",
            concurrency=size.least,
            autoscale=(size.most, size.least) if size.least < size.most else None,
            task_events=options.events,
            loglevel=logging.getLogger().getEffectiveLevel(),
            optimization="fair",
            without_mingle=True,  # workers need nothing of each other
            without_gossip=True,
            quiet=True,
        )

    def _make_attendant(self) -> Attendant:
        store, copies = SqlJobStore(self._database), self._options.copies
        office = Office(
            store=store,
            board=WorkerBoard(self._database),
            wakeups=WakeUps(self._application, store),
            policy=self._options.policy,
            tidy=id if copies is None else Housekeeper(store, Storage(copies)).tidy,
            clock=self._database.clock,
        )
        now_s = office.clock()
        card = WorkerCard(
            name=self._name,
            host=socket.gethostname(),
            pid=os.getpid(),
            queues=self._options.queues,
            slots=0,
            busy=0,
            lost=0,
            started_at=now_s,
            seen_at=now_s,
        )
        return Attendant(office, card=card, look=self._look, signs=self._signs)

    def _look(self) -> Pool | None:
        pool = getattr(getattr(self._celery, "pool", None), "_pool", None)
        if pool is None:
            return None
        return Pool(
            pids=frozenset(process.pid for process in list(pool._pool)),  # noqa: SLF001 - Celery tells it nowhere else
            busy=len(celery_state.active_requests),
            received=sum(celery_state.total_count.values()),
            is_connected=self._is_connected(),
        )

    def _note_loop(self) -> None:
        """Note that the event loop goes round, and do what is to be done in it."""
        now_s = time.monotonic()
        self._signs.loop_s = now_s
        self._held.let_go(tuple(celery_state.reserved_requests), now_s)

    def _is_connected(self) -> bool:
        connection = getattr(getattr(self._celery, "consumer", None), "connection", None)
        return connection is not None and bool(connection.connected)

    def _connect_signals(self, on_ready: Callable[[], object]) -> None:
        # Strong references: the signals would forget functions that nobody else holds.
        signals.worker_process_init.connect(self._begin_process, weak=False)
        signals.worker_process_shutdown.connect(self._end_process, weak=False)
        signals.worker_shutting_down.connect(self._drain, weak=False)
        signals.worker_ready.connect(lambda **_: on_ready(), weak=False)

    def _begin_process(self, **_: object) -> None:
        self._database.abandon()
        self._desk.open(self._application)

    def _end_process(self, **_: object) -> None:
        self._desk.close()

    def _drain(self, **_: object) -> None:
        """Have tasks end soon; called by Celery when a signal has come."""
        self._signs.is_leaving = True
        self._orders.give(Orders.FINISH)
        if not self._draining.is_alive():
            self._draining.start()


def _loop_step(tick: Callable[[], object]) -> type[StartStopStep]:
    """Make the step of Celery's worker that calls something every second in its event loop."""

    class LoopStep(StartStopStep):  # type: ignore[misc]
        requires = ("celery.worker.components:Hub",)

        def register_with_event_loop(self, _: Any, hub: Any) -> None:
            """Begin to call it; done anew for every connection."""
            hub.call_repeatedly(_LOOP_TICK_S, tick)

    return LoopStep
