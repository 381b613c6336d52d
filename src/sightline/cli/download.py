"""Showing how far a download or an upload is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

__all__ = ["DownloadBar"]


class DownloadBar:
    """A progress bar that appears when bytes arrive: call it with how many of how many.

    It appears on a terminal only; elsewhere, and when quiet, it does nothing.

    Args:
        quiet: Show nothing.
        what: What is being done.
    """

    def __init__(self, *, quiet: bool, what: str = "downloading the model") -> None:
        self._what = what
        self._shown = sys.stderr.isatty() and not quiet
        self._bar: Any = None

    def __call__(self, arrived: int, total: int | None) -> None:
        """Show the bytes that have arrived; the bar goes away with the last one."""
        if not self._shown:
            return
        if self._bar is None:
            self._start(total)
        self._bar.update(self._bar.task_ids[0], completed=arrived)
        if total is not None and arrived >= total:
            self.close()

    def _start(self, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._bar = Progress(
            TextColumn(self._what),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.add_task("", total=total)
        self._bar.start()

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
