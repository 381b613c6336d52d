"""A pipeline that runs as a graph while a person watches: progress, Ctrl-C, summary."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from sightline.cli.batch import counted, describe_failures
from sightline.cli.exits import Exit
from sightline.cli.graph_progress import choose_graph_display
from sightline.cli.interrupt import stop_on_signal
from sightline.graph.exposition import MetricsServer
from sightline.graph.plan import handler_stages, make_plan
from sightline.graph.running import GraphRun
from sightline.pipeline.versions import versions
from sightline.sinks.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.graph.report import GraphReport
    from sightline.live.web import Web
    from sightline.pipeline.graph_options import GraphOptions
    from sightline.pipeline.pipeline import Pipeline
    from sightline.pipeline.stream_spec import StreamSpec
    from sightline.sinks.sink import Sink, StreamSinks

__all__ = ["WatchedGraph", "graph_status", "show_graph_summary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedGraph:
    """A graph that is about to run.

    Attributes:
        pipeline: The stages.
        specs: The streams.
        sinks: Where frames go.
        options: How the graph behaves.
        metrics: Interface and port on which to serve metrics; None: not.
        web: Shows the streams; it is one of `sinks`, too.
        quiet: Show no progress.
    """

    pipeline: Pipeline
    specs: Sequence[StreamSpec]
    sinks: Sequence[Sink | StreamSinks]
    options: GraphOptions
    metrics: tuple[str, int] | None
    web: Web | None
    quiet: bool

    def run(self) -> tuple[GraphReport, dict[str, Any]]:
        """Run until all streams are over or a signal comes; return the account and a summary.

        Raises:
            SightlineError: What made the graph fail.
        """
        tally = Tally()
        with stop_on_signal() as stop, ExitStack() as stack:
            metrics = None if self.metrics is None else stack.enter_context(_Metrics(self.metrics))
            options = replace(self.options, stop=stop)
            run = GraphRun(self.pipeline, self.specs, [*self.sinks, tally], options=options)
            stack.enter_context(run)
            self._announce(run, metrics)
            view = _View(None if self.quiet else self.web)
            display = choose_graph_display(quiet=self.quiet)
            stack.callback(display.finish)

            def show(report: GraphReport) -> None:
                view.announce()
                display.update(report)

            report = run.finish(show)
        streams = {
            name: {**stream, **tally.by_stream().get(name, {})}
            for name, stream in report.as_dict()["streams"].items()
        }
        account = {**report.as_dict(), "streams": streams, **tally.as_dict()}
        return report, {"run_id": run.info()["run_id"], **account, "versions": versions()}

    def _announce(self, run: GraphRun, metrics: _Metrics | None) -> None:
        """Say what the run is called, and where to look at it."""
        lines = [f"run {run.info()['run_id']}: {_sharing(self.pipeline, self.options.handlers)}"]
        if metrics is not None:
            lines.append(f"metrics: {metrics.show(run)}")
        if not self.quiet:
            click.echo("\n".join(lines), err=True)


def _sharing(pipeline: Pipeline, handlers: int) -> str:
    """Say how many handlers a run has; none, however many it may have, if there is no use for any.

    >>> from sightline.pipeline.pipeline import Pipeline
    >>> from sightline.pipeline.stages import Draw, Track
    >>> _sharing(Pipeline([Draw(), Track()]), 1)
    '1 handler'
    >>> _sharing(Pipeline([Track(), Draw()]), 4)
    'no handlers, as no stage can be shared out'
    """
    if handler_stages(make_plan(pipeline.named_stages)):
        return counted(handlers, "handler")
    return "no handlers, as no stage can be shared out"


class _Metrics(MetricsServer):
    """Has its port before there is a run, so that one that is taken is noticed before anything."""

    def __init__(self, at: tuple[str, int]) -> None:
        host, port = at
        self._run: GraphRun | None = None
        super().__init__(self._stats, host=host, port=port)

    def show(self, run: GraphRun) -> str:
        """Serve the metrics of a run from now on; return where."""
        self._run = run
        return self.address

    def _stats(self) -> dict[str, Any]:
        return {"streams": {}} if self._run is None else self._run.snapshots()


class _View:
    """Says once where the live view is, as soon as it is there."""

    def __init__(self, web: Web | None) -> None:
        self._web = web

    def announce(self) -> None:
        if self._web is not None and self._web.address is not None:
            click.echo(f"view: {self._web.address}", err=True)
            self._web = None


def graph_status(report: GraphReport) -> Exit:
    """Choose the exit status for a graph that ended by itself or was stopped."""
    if report.stopped:
        return Exit.INTERRUPTED
    return Exit.OK if report.complete else Exit.INCOMPLETE


def show_graph_summary(summary: dict[str, Any], *, as_json: bool, quiet: bool) -> None:
    """Print a graph's summary for people or for programs, and what was lost as warnings."""
    if as_json:
        click.echo(json.dumps(summary, default=str))
        return
    for name, error in summary["unopened"].items():
        click.echo(f"Warning: {name}: {error}", err=True)
    for name, stream in summary["streams"].items():
        messages = [*stream["losses"]["messages"], stream["error"]]
        messages += describe_failures(stream["failures"], stream["failed"])
        for message in filter(None, messages):
            click.echo(f"Warning: {name}: {message}", err=True)
    if quiet:
        return
    for name, stream in summary["streams"].items():
        click.echo(f"{name}: {_figures(stream)}")
    if len(summary["streams"]) > 1:
        click.echo(
            f"all: {counted(summary['frames'], 'frame')} in {summary['wall_s']:.1f} s "
            f"({summary['frames_per_second']:.1f} frames/s)"
        )


def _figures(stream: dict[str, Any]) -> str:
    found = ", ".join(f"{n} {name}" for name, n in stream.get("tracks", {}).items()) or "none"
    rate = f"{stream['frames_per_second']:.1f} frames/s"
    parts = [
        f"{counted(stream['frames'], 'frame')} in {stream['wall_s']:.1f} s ({rate})",
        f"tracks: {found}",
    ]
    dropped = [
        f"{drop['frames']} {drop['reason'] or 'on purpose'} ({drop['stage']})"
        for drop in stream["drops"]
    ]
    if dropped:
        parts.append(f"dropped: {', '.join(dropped)}")
    if (occupancy := stream["occupancy"]) and occupancy["most"]:
        parts.append(f"under way {occupancy['mean']:.1f} of {occupancy['window']} frames")
    if age := stream["latency"].get("age"):
        parts.append(f"age p50 {age['p50_ms']:.1f} ms, p95 {age['p95_ms']:.1f} ms")
    return ", ".join(parts)
