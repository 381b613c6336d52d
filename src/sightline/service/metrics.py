"""What the service measures of itself, in the format of Prometheus."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from sightline.jobs.sql import schema
from sightline.jobs.states import JobState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.core import Metric
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from sightline.service.events import Watcher
    from sightline.service.services import Services

__all__ = ["Measured", "Metrics"]

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


class Metrics:
    """What is measured, and what is looked up when it is asked for.

    Args:
        services: What there is to look at.
        watcher: Knows how many wait for jobs.
    """

    def __init__(self, services: Services, watcher: Watcher) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Standing(services, watcher))
        self._requests = Histogram(
            "sightline_http_request_seconds",
            "Time until an answer began; event streams and long polls are left out.",
            ["method", "route", "status"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )

    def observe(self, scope: Scope, status: int, elapsed_s: float) -> None:
        """Note one answer."""
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._requests.labels(method, route, str(status)).observe(elapsed_s)

    def text(self) -> bytes:
        """Write everything; blocks on the database."""
        return generate_latest(self._registry)


class Measured:
    """Measures the time until answers begin.

    Args:
        application: What is behind it.
        metrics: Where to note it.
    """

    def __init__(self, application: ASGIApp, metrics: Metrics) -> None:
        self._application = application
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http" or b"wait=" in scope.get("query_string", b""):
            await self._application(scope, receive, send)
            return
        begun_s = time.perf_counter()

        async def send_measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.observe(scope, message["status"], time.perf_counter() - begun_s)
            await send(message)

        await self._application(scope, receive, send_measured)


class _Standing(Collector):
    """Jobs, tasks and workers as they stand when they are asked for."""

    def __init__(self, services: Services, watcher: Watcher) -> None:
        self._services = services
        self._watcher = watcher

    def describe(self) -> Iterable[Metric]:
        """Promise nothing, so that registering looks nothing up."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Look everything up."""
        yield from self._jobs()
        yield self._tasks()
        yield from self._workers()
        waiting = GaugeMetricFamily(
            "sightline_watchers", "Event streams and long polls that are open."
        )
        waiting.add_metric([], len(self._watcher))
        yield waiting

    def _jobs(self) -> Iterable[Metric]:
        jobs = schema.jobs
        query = select(
            jobs.c.state, func.count(), func.coalesce(func.sum(jobs.c.frames_done), 0)
        ).group_by(jobs.c.state)
        with self._services.database.read() as connection:
            found = {state: (count, frames) for state, count, frames in connection.execute(query)}
        count = GaugeMetricFamily("sightline_jobs", "Jobs by state.", labels=["state"])
        frames = GaugeMetricFamily(
            "sightline_job_frames", "Frames done of the jobs that there are.", labels=["state"]
        )
        for state in JobState:
            jobs_there, frames_done = found.get(state.value, (0, 0))
            count.add_metric([state.value], jobs_there)
            frames.add_metric([state.value], int(frames_done))  # PostgreSQL adds up decimals
        yield count
        yield frames

    def _tasks(self) -> Metric:
        outstanding = self._services.store.outstanding()
        tasks = GaugeMetricFamily(
            "sightline_tasks_outstanding",
            "Tasks that are ready or leased: how much work there is for workers.",
            labels=["queue", "kind", "state"],
        )
        for group, number in outstanding.items():
            tasks.add_metric([group.queue.value, group.kind.value, group.state], number)
        return tasks

    def _workers(self) -> Iterable[Metric]:
        executor = self._services.executor
        if executor is None:
            return
        workers = GaugeMetricFamily("sightline_workers", "Workers.", labels=["kind", "state"])
        counted = Counter((worker.kinds, worker.state) for worker in executor.workers())
        for (kinds, state), count in counted.items():
            workers.add_metric([",".join(kinds), state.value], count)
        yield workers
        restarts = CounterMetricFamily(
            "sightline_worker_restarts", "Workers that were replaced because they died or hung."
        )
        restarts.add_metric([], executor.restarts)
        yield restarts
