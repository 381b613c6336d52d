"""`sightline run`: run a pipeline from a YAML file."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import click

from sightline.cli.batch import report_status, show_summary, summarise
from sightline.cli.progress import choose_display
from sightline.cli.watch import watched_run
from sightline.errors import PipelineError
from sightline.media.opening import open_source
from sightline.pipeline.definition import load_definition
from sightline.sinks.tally import Tally

__all__ = ["command"]


@click.command("run")
@click.argument("pipeline_file", metavar="PIPELINE.yaml", type=click.Path(path_type=Path))
@click.option("-s", "--source", help="What to process, instead of what the file says.")
@click.option(
    "--max-failures",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="How many frames may fail in a stage before the run does.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show errors only.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one line of JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    pipeline_file: Path,
    source: str | None,
    max_failures: int,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run the pipeline that PIPELINE.yaml defines.

    Stages of your own are found in modules beside the file; paths in it are relative to the
    current folder.
    """
    sys.path.insert(0, str(pipeline_file.resolve().parent))
    definition = load_definition(pipeline_file)
    where = source if source is not None else definition.source
    if where is None:
        raise PipelineError(f"{pipeline_file} names no source; add one, or use --source")
    tally = Tally()
    with closing(open_source(where)) as opened, definition.pipeline as pipeline:
        report = watched_run(
            pipeline,
            opened,
            sinks=[*definition.sinks, tally],
            display=choose_display(quiet=quiet or as_json),
            max_failures=max_failures,
        )
    summary = {
        "source": where,
        **summarise(report, tally),
        "options": {"pipeline_file": str(pipeline_file), "max_failures": max_failures},
    }
    show_summary(summary, as_json=as_json, quiet=quiet)
    ctx.exit(report_status(report))
