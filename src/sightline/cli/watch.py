"""A run that a person watches and may interrupt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.cli.interrupt import stop_on_signal
from sightline.pipeline.inline import RunOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.cli.progress import Display
    from sightline.media.source import Source
    from sightline.pipeline.pipeline import Pipeline
    from sightline.pipeline.report import RunReport
    from sightline.sinks.sink import Sink, StreamSinks

__all__ = ["watched_run"]


def watched_run(
    pipeline: Pipeline,
    source: Source,
    *,
    sinks: Sequence[Sink | StreamSinks],
    display: Display,
    max_failures: int = 0,
) -> RunReport:
    """Run inline with progress on a display; SIGINT and SIGTERM end the run, outputs complete."""
    display.start(source.info.name, source.info.frame_count)
    try:
        with stop_on_signal() as stop:
            return pipeline.run(
                source,
                sinks,
                options=RunOptions(stop=stop, max_failures=max_failures),
                on_frame=display.update,
            )
    finally:
        display.finish()
