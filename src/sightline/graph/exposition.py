"""The account of a graph for Prometheus: as text, and on an HTTP port of its own.

It turns what `GraphRun.stats()` says into metrics; it counts nothing itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from sightline.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    Stats = dict[str, Any]

__all__ = ["MetricsServer", "hops_and_drops", "metric_families", "metrics_text"]

_QUANTILES = (("0.5", "p50_ms"), ("0.95", "p95_ms"), ("0.99", "p99_ms"))


def metric_families(stats: Stats) -> Iterator[Metric]:
    """Turn an account into metrics.

    Args:
        stats: What `GraphRun.stats()` returns; what it lacks is left out.
    """
    yield from _stream_counters(stats["streams"])
    yield from _stream_gauges(stats)
    yield _latency(stats["streams"])
    for key, name, text in (
        ("handler_restarts", "sightline_handler_restarts", "Handler processes that were replaced."),
        ("duplicates", "sightline_duplicates", "Results that came twice and were put aside."),
    ):
        if key in stats:
            yield CounterMetricFamily(name, text, stats[key])
    if "handlers" in stats:
        yield GaugeMetricFamily(
            "sightline_handlers", "Handler processes that take work.", stats["handlers"]
        )
    failover = Metric(
        "sightline_failover_seconds",
        "From the death of a handler to the outcome of the work that it had.",
        "summary",
    )
    _add_summary(failover, {}, stats.get("failover"))
    yield failover


def metrics_text(stats: Stats) -> str:
    """Write an account in the text format of Prometheus."""
    return generate_latest(_registry(lambda: stats)).decode()


def hops_and_drops(stats: Stats) -> dict[str, dict[str, Any]]:
    """Pick from an account what a page shows of every stream: delays of late by hop, and drops."""
    return {
        name: {"hops": stream["recent_latency"], "drops": _by_stage(stream["drops"])}
        for name, stream in stats["streams"].items()
    }


class MetricsServer:
    """Serves the metrics over HTTP until it is closed; a context manager.

    Args:
        stats: Asked for the account at every request, in a thread of the server.
        port: TCP port; 0 for a free one.
        host: Name or address of the interface.

    Attributes:
        address: Where the metrics are.

    Raises:
        OutputError: The port cannot be had.
    """

    def __init__(
        self, stats: Callable[[], Stats], *, port: int = 0, host: str = "127.0.0.1"
    ) -> None:
        try:
            self._server, self._thread = start_http_server(
                port, addr=host, registry=_registry(stats)
            )
        except OSError as error:
            raise OutputError(
                f"cannot serve metrics on {host} port {port}: {error.strerror or error}; "
                "choose another port, or 0 for a free one"
            ) from error
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{self._server.server_port}/metrics"

    def close(self) -> None:
        """End the server; the port is free afterwards."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _GraphCollector(Collector):
    def __init__(self, stats: Callable[[], Stats]) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        return metric_families(self._stats())

    def describe(self) -> list[Metric]:
        """Say nothing, so that the graph is not asked when this is registered."""
        return []


def _registry(stats: Callable[[], Stats]) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_GraphCollector(stats))
    return registry


def _stream_counters(streams: Stats) -> Iterator[Metric]:
    frames = CounterMetricFamily(
        "sightline_frames", "Frames that reached the sinks.", labels=["stream"]
    )
    admitted = CounterMetricFamily(
        "sightline_admitted", "Frames that the source gave out.", labels=["stream"]
    )
    restarts = CounterMetricFamily(
        "sightline_source_restarts", "How often the source was opened anew.", labels=["stream"]
    )
    dropped = CounterMetricFamily(
        "sightline_dropped",
        "Frames that were dropped; the reason is empty where a stage did so on purpose.",
        labels=["stream", "stage", "reason"],
    )
    failed = CounterMetricFamily(
        "sightline_failed", "Frames on which a stage failed.", labels=["stream", "stage"]
    )
    for name, stream in streams.items():
        frames.add_metric([name], stream["frames"])
        admitted.add_metric([name], stream["admitted"])
        restarts.add_metric([name], stream["restarts"])
        for drop in stream["drops"]:
            dropped.add_metric([name, drop["stage"], drop["reason"]], drop["frames"])
        for stage, count in stream["failures"].items():
            failed.add_metric([name, stage], count)
    yield from (frames, admitted, restarts, dropped, failed)


def _stream_gauges(stats: Stats) -> Iterator[Metric]:
    for key, name, text in (
        ("under_way", "sightline_in_flight_frames", "Frames under way."),
        ("window", "sightline_window_frames", "Frames that may be under way."),
        (
            "queued",
            "sightline_queued_works",
            "Frames, or objects of them, that wait for a handler.",
        ),
    ):
        family = GaugeMetricFamily(name, text, labels=["stream"])
        for stream, frames in stats.get(key, {}).items():
            family.add_metric([stream], frames)
        yield family


def _latency(streams: Stats) -> Metric:
    family = Metric(
        "sightline_latency_seconds", "Where frames spend their time, hop by hop.", "summary"
    )
    for name, stream in streams.items():
        for hop, figures in stream["latency"].items():
            _add_summary(family, {"stream": name, "hop": hop}, figures)
    return family


def _add_summary(family: Metric, labels: dict[str, str], figures: Stats | None) -> None:
    """Add the samples of a summary: quantiles over the whole run, count and sum."""
    if not figures:
        return
    for quantile, key in _QUANTILES:
        family.add_sample(family.name, {**labels, "quantile": quantile}, figures[key] / 1000)
    family.add_sample(f"{family.name}_count", labels, figures["count"])
    family.add_sample(f"{family.name}_sum", labels, figures["total_s"])


def _by_stage(drops: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    stages: dict[str, dict[str, int]] = {}
    for drop in drops:
        stages.setdefault(drop["stage"], {})[drop["reason"]] = drop["frames"]
    return stages
