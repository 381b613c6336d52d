"""A worker process: claims tasks of one kind from the store and does them, one at a time.

It knows of its executor only that it can be woken and stopped, and that it is to say how it goes.
"""

from __future__ import annotations

import importlib
import logging
import os
import random
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sightline.jobs.confinement import bound_memory
from sightline.jobs.minder import Minder, Orders, TaskWatch
from sightline.jobs.split import split
from sightline.jobs.states import TaskKind
from sightline.jobs.work import do_task
from sightline.jobs.worker_channel import Word
from sightline.pipeline.definition import parse_definition
from sightline.processors import limit_cores
from sightline.transport.host import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sightline.jobs.model import Lease
    from sightline.jobs.worker_channel import WorkerChannel
    from sightline.jobs.workplace import Workplace

__all__ = ["Worker", "WorkerOptions", "run_worker"]

_log = logging.getLogger(__name__)

_IDLE_S = 1.0
_WARM_UP_S = 30.0
_NICENESS = 5
"""The API of the service, and people, come first."""

_NEEDED = {
    TaskKind.INGEST: "sightline.jobs.ingest",
    TaskKind.CHUNK: "sightline.jobs.chunk_work",
    TaskKind.FINAL: "sightline.jobs.final_pass",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """What a worker process must know; picklable.

    Attributes:
        name: Its name on the leases that it takes; no other process ever has the same.
        kind: The tasks that it does.
        open_workplace: Makes its workplace, in its process.
        channel: Its end of the channel to the executor.
        warm: Definition of the pipeline whose modules, and models where it needs them, it loads
            before it is ready.
        threads: How many threads libraries may use for one frame.
        memory_bytes: Bound on the memory that it may write to; None: none.
    """

    name: str
    kind: TaskKind
    open_workplace: Callable[[], Workplace]
    channel: WorkerChannel
    warm: Mapping[str, Any] | None = None
    threads: int = 1
    memory_bytes: int | None = None


def run_worker(options: WorkerOptions) -> None:
    """Work until told to stop; the main function of a worker process.

    On SIGTERM it gives its task back at the task's next report, and ends.
    """
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the executor's to handle
    os.nice(_NICENESS)
    if options.memory_bytes is not None:
        bound_memory(options.memory_bytes)
    limit_cores(options.threads)
    importlib.import_module(_NEEDED[options.kind])
    worker = Worker(options, options.open_workplace())
    signal.signal(signal.SIGTERM, lambda *_: worker.give_up())
    try:
        worker.run()
    finally:
        worker.close()


class Worker:
    """The loop of a worker; made and run by the main thread of its process."""

    def __init__(self, options: WorkerOptions, place: Workplace) -> None:
        self._options = options
        self._place = place
        self._channel = options.channel
        self._is_stopping = False
        self._gives_up = False
        self._watch = TaskWatch()
        self._minder = Minder(
            self._watch,
            name=options.name,
            orders=self._orders,
            on_move=lambda: self._channel.send(Word.MOVED),
        )

    def run(self) -> None:
        """Warm up; then work until told to stop."""
        self._warm_up()
        self._minder.start()
        self._channel.send(Word.READY)
        while self._is_told_to_go_on():
            lease = self._claim()
            if lease is not None:
                self._do(lease)
            else:
                self._channel.send(Word.IDLE)
                # Not all at the same moment: what one finds, the others need not look for.
                self._channel.wait(_IDLE_S * random.uniform(0.8, 1.2))  # noqa: S311 - no secret

    def give_up(self) -> None:
        """End soon, and give the current task back; does nothing but set flags."""
        # A signal handler must not take locks: the minder tells the heartbeat.
        self._is_stopping = self._gives_up = True

    def close(self) -> None:
        """Release what the worker holds."""
        self._minder.close()
        self._place.close()
        self._channel.close()

    def _warm_up(self) -> None:
        """Make what the first task is likely to need; what others need is made when they come."""
        kind, warm = self._options.kind, self._options.warm
        try:
            prober = self._place.ingest.prober if kind is TaskKind.INGEST else None
            if warm is not None and kind is TaskKind.CHUNK:
                self._place.pipelines.get(warm)
            elif warm is not None:
                _rehearse(warm)
            if prober is not None and not prober.wait_ready(_WARM_UP_S):
                _log.warning("the first video has to wait worker=%s", self._options.name)
        except Exception:  # noqa: BLE001 - a job that needs it will say so to its client
            _log.exception("cannot warm up worker=%s", self._options.name)

    def _is_told_to_go_on(self) -> bool:
        said = {word for word, _ in self._channel.take()}
        if Word.STOP in said or self._channel.is_closed:
            self._is_stopping = True
        return not self._is_stopping

    def _claim(self) -> Lease | None:
        place = self._place
        try:
            return place.store.claim(
                [self._options.kind],
                worker=self._options.name,
                policy=place.policy,
                now_s=place.clock(),
            )
        except Exception:  # noqa: BLE001 - the store is away: looked for again like a task
            _log.exception("cannot claim tasks worker=%s", self._options.name)
            return None

    def _do(self, lease: Lease) -> None:
        self._channel.send(Word.BUSY)
        try:
            with self._watch.task():
                news = do_task(lease, self._place, watch=self._watch.add)
        except Exception:  # noqa: BLE001 - the store is away: the lease ends by itself
            _log.exception("cannot report a task worker=%s", self._options.name)
            return
        if news:
            self._channel.send(Word.NEWS, news)

    def _orders(self) -> Orders:
        if self._gives_up:
            return Orders.GIVE_BACK
        return Orders.GO_ON if self._is_told_to_go_on() else Orders.FINISH


def _rehearse(definition: Mapping[str, Any]) -> None:
    """Load what a final pass loads: modules, and what its stages want when they are opened."""
    for _, stage in split(parse_definition(dict(definition)).pipeline).final_stages:
        stage.open()
        stage.close()
