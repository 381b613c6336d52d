"""Taking videos through one pipeline, one after the other, each to a folder of its own."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from sightline.cli.exits import Exit, status_of
from sightline.cli.outputs import free_name
from sightline.cli.watch import watched_run
from sightline.errors import SightlineError
from sightline.media.opening import open_source
from sightline.pipeline.outputs import make_sinks
from sightline.pipeline.summary import summarise, write_summary
from sightline.sinks.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sightline.cli.progress import Display
    from sightline.media.source import Source
    from sightline.pipeline.pipeline import Pipeline
    from sightline.pipeline.report import RunReport

__all__ = [
    "Batch",
    "Outputs",
    "counted",
    "describe_failures",
    "report_status",
    "show_summary",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What is written, and where.

    Attributes:
        root: Every video gets a folder in this one.
        formats: Names of output formats.
        tracked: The pipeline tracks.
    """

    root: Path
    formats: tuple[str, ...]
    tracked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A pipeline with its outputs, for any number of videos; the model is loaded once.

    Attributes:
        pipeline: What each video goes through.
        outputs: What is written, and where.
        display: Shows progress.
        options: The options of the command, for the summary.
    """

    pipeline: Pipeline
    outputs: Outputs
    display: Display
    options: dict[str, Any]

    def run(self, videos: Sequence[str], *, as_json: bool, quiet: bool) -> Exit:
        """Process the videos; a video that cannot be used does not end the others.

        Returns:
            The first status that is not `OK`.
        """
        statuses = []
        taken: set[str] = set()
        try:
            for video in videos:
                try:
                    summary, status = self._one(video, taken)
                except SightlineError as error:
                    click.echo(f"Error: {error}", err=True)
                    statuses.append(status_of(error))
                    continue
                statuses.append(status)
                show_summary(summary, as_json=as_json, quiet=quiet)
                if status is Exit.INTERRUPTED:
                    break
        finally:
            self.pipeline.close()
        return next((status for status in statuses if status is not Exit.OK), Exit.OK)

    def _one(self, video: str, taken: set[str]) -> tuple[dict[str, Any], Exit]:
        with closing(open_source(video)) as source:
            self.pipeline.open()
            folder = self.outputs.root / free_name(source.info.name, taken)
            created = [path for path in (folder, self.outputs.root) if not path.exists()]
            tally = Tally()
            try:
                report = self._process(source, folder, tally)
            except SightlineError:
                for path in created:
                    with suppress(OSError):  # not empty: outputs of finished frames stay
                        path.rmdir()
                raise
        summary = {
            "source": video,
            "output": str(folder),
            **summarise(report, tally),
            "options": self.options,
        }
        write_summary(folder, summary)
        return summary, report_status(report)

    def _process(self, source: Source, folder: Path, tally: Tally) -> RunReport:
        sinks = make_sinks(self.outputs.formats, folder, tracked=self.outputs.tracked)
        return watched_run(self.pipeline, source, sinks=[*sinks, tally], display=self.display)


def report_status(report: RunReport) -> Exit:
    """Choose the exit status for a run that ended by itself or was stopped."""
    if report.stopped:
        return Exit.INTERRUPTED
    return Exit.OK if report.complete else Exit.INCOMPLETE


def show_summary(summary: dict[str, Any], *, as_json: bool, quiet: bool) -> None:
    """Print a run's summary for people or for programs, and what was lost as warnings."""
    if as_json:
        click.echo(json.dumps(summary, default=str))
        return
    failures = Counter(failed["stage"] for failed in summary["failed"])
    lost = describe_failures(failures, summary["failed"])
    for message in [*summary["losses"]["messages"], *lost]:
        click.echo(f"Warning: {summary['source']}: {message}", err=True)
    if not quiet:
        found = ", ".join(f"{n} {name}" for name, n in summary["tracks"].items()) or "none"
        where = f" → {summary['output']}/" if "output" in summary else ""
        frames = counted(summary["frames"], "frame")
        click.echo(
            f"{summary['stream']}: {frames} in {summary['wall_s']:.1f} s "
            f"({summary['frames_per_second']:.1f} frames/s), tracks: {found}{where}"
        )


def describe_failures(
    failures: Mapping[str, int], failed: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Say in one line per stage on how many frames it raised, and what at first.

    Args:
        failures: Number of failed frames by stage.
        failed: Failed frames in order, as `RunReport.as_dict` gives them; some may be missing.

    >>> at_20 = {"seq": 20, "stage": "boom", "error": "ValueError: no"}
    >>> describe_failures({"boom": 1}, [at_20])
    ['1 frame failed in boom, frame 20: ValueError: no']
    >>> describe_failures({"boom": 3, "track": 2}, [at_20])
    ['3 frames failed in boom, the first is frame 20: ValueError: no', '2 frames failed in track']
    """
    first: dict[str, Mapping[str, Any]] = {}
    for frame in failed:
        first.setdefault(frame["stage"], frame)
    sentences = []
    for stage, count in failures.items():
        sentence = f"{counted(count, 'frame')} failed in {stage}"
        if stage in first:
            which = "" if count == 1 else "the first is "
            sentence += f", {which}frame {first[stage]['seq']}: {first[stage]['error']}"
        sentences.append(sentence)
    return sentences


def counted(number: int, noun: str) -> str:
    """Write how many of something there are.

    >>> counted(1, "frame"), counted(0, "frame")
    ('1 frame', '0 frames')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
