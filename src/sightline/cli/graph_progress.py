"""Showing how far the streams of a graph are: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Protocol

import click

if TYPE_CHECKING:
    from sightline.graph.report import GraphReport, StreamReport

__all__ = ["GraphBars", "GraphDisplay", "GraphLines", "NoGraphDisplay", "choose_graph_display"]

_LINE_EVERY_S = 5.0


class GraphDisplay(Protocol):
    """Shows the progress of one graph."""

    def update(self, report: GraphReport) -> None:
        """Take note of the account so far; called a few times a second."""

    def finish(self) -> None:
        """Show nothing more."""


class NoGraphDisplay:
    """Shows nothing."""

    def update(self, report: GraphReport) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


class GraphLines:
    """Writes a line to standard error every few seconds, for logs."""

    def __init__(self, every_s: float = _LINE_EVERY_S) -> None:
        self._every_s = every_s
        self._next_s = time.monotonic() + every_s

    def update(self, report: GraphReport) -> None:
        """Write a line if it is time."""
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + self._every_s
        streams = list(report.streams.items())
        lines = [f"{name}: {_progress(stream)}" for name, stream in streams]
        if len(streams) > 1:
            lines.insert(0, f"{report.frames} frames, {report.rate:.1f} frames/s")
        click.echo("; ".join(lines) or "waiting for a source", err=True)

    def finish(self) -> None:
        """Write nothing more: the summary follows."""


class GraphBars:
    """Draws a progress bar for every stream on the terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._progress.start()

    def update(self, report: GraphReport) -> None:
        """Advance the bars."""
        for name, stream in list(report.streams.items()):
            if name not in self._tasks:
                total = stream.run.stream.frame_count
                self._tasks[name] = self._progress.add_task(name, total=total, rate="")
            rate = "over" if stream.ended else f"{stream.rate.per_second:.1f} frames/s"
            self._progress.update(self._tasks[name], completed=stream.run.frames, rate=rate)

    def finish(self) -> None:
        """Remove the bars."""
        self._progress.stop()


def choose_graph_display(*, quiet: bool) -> GraphDisplay:
    """Pick the display that fits: none if quiet, bars on a terminal, else lines."""
    if quiet:
        return NoGraphDisplay()
    return GraphBars() if sys.stderr.isatty() else GraphLines()


def _progress(stream: StreamReport) -> str:
    total = stream.run.stream.frame_count
    of = f" of {total}" if total else ""
    rate = "over" if stream.ended else f"{stream.rate.per_second:.1f} frames/s"
    return f"frame {stream.run.frames}{of}, {rate}"
