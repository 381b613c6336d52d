"""Showing how far a run is: a bar on a terminal, plain lines elsewhere, nothing if not wanted."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Protocol

import click

if TYPE_CHECKING:
    from sightline.pipeline.report import RunReport

__all__ = ["BarDisplay", "Display", "LineDisplay", "NoDisplay", "choose_display"]

_LINE_EVERY_S = 5.0


class Display(Protocol):
    """Shows the progress of one run after the other."""

    def start(self, title: str, total: int | None) -> None:
        """Begin with a run of so many frames, or of unknown length."""

    def update(self, report: RunReport) -> None:
        """Take note of the report so far; cheap, called after every frame."""

    def finish(self) -> None:
        """End the run that was started."""


class NoDisplay:
    """Shows nothing."""

    def start(self, title: str, total: int | None) -> None:
        """Do nothing."""

    def update(self, report: RunReport) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


class LineDisplay:
    """Writes a line to standard error every few seconds, for logs."""

    def __init__(self, every_s: float = _LINE_EVERY_S) -> None:
        self._every_s = every_s
        self._title = ""
        self._total: int | None = None
        self._next = 0.0

    def start(self, title: str, total: int | None) -> None:
        """Name the run."""
        self._title, self._total = title, total
        self._next = time.monotonic() + self._every_s
        click.echo(f"{title}: started", err=True)

    def update(self, report: RunReport) -> None:
        """Write a line if it is time."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every_s
        of = f" of {self._total}" if self._total else ""
        rate = report.frames_per_second
        left = ""
        if self._total and rate:
            left = f", {max(0, self._total - report.frames) / rate:.0f} s left"
        click.echo(f"{self._title}: frame {report.frames}{of}, {rate:.1f} frames/s{left}", err=True)

    def finish(self) -> None:
        """Write nothing more: the summary follows."""


class BarDisplay:
    """Draws a progress bar with rate and remaining time on the terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("", visible=False, rate="")

    def start(self, title: str, total: int | None) -> None:
        """Show an empty bar."""
        self._progress.start()
        self._progress.reset(self._task, description=title, total=total, visible=True, rate="")

    def update(self, report: RunReport) -> None:
        """Advance the bar; the terminal is redrawn ten times a second at most."""
        self._progress.update(
            self._task,
            completed=report.frames,
            rate=f"{report.frames_per_second:.1f} frames/s",
        )

    def finish(self) -> None:
        """Remove the bar."""
        self._progress.stop()


def choose_display(*, quiet: bool) -> Display:
    """Pick the display that fits: none if quiet, a bar on a terminal, else lines."""
    if quiet:
        return NoDisplay()
    return BarDisplay() if sys.stderr.isatty() else LineDisplay()
