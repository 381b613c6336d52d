"""`sightline run`: run a pipeline from a YAML file."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from sightline.cli.batch import counted, report_status, show_summary
from sightline.cli.exits import exits_as_errors
from sightline.cli.parameters import byte_count, handlers_or_auto, listen_address
from sightline.cli.progress import choose_display
from sightline.cli.watch import watched_run
from sightline.errors import PipelineError
from sightline.media.opening import open_source
from sightline.pipeline.definition import load_definition
from sightline.pipeline.graph_options import GraphOptions
from sightline.pipeline.stream_spec import StreamSpec
from sightline.pipeline.summary import summarise
from sightline.sinks.tally import Tally

if TYPE_CHECKING:
    from sightline.cli.exits import Exit
    from sightline.live.web import Web
    from sightline.pipeline.definition import Definition
    from sightline.sinks.sink import Sink, StreamSinks

__all__ = ["command"]


@click.command("run")
@click.argument("pipeline_file", metavar="PIPELINE.yaml", type=click.Path(path_type=Path))
@click.option(
    "-s",
    "--source",
    "sources",
    multiple=True,
    help="What to process, instead of what the file says; several with --handlers.",
)
@click.option(
    "--handlers",
    type=handlers_or_auto,
    metavar="N|auto",
    help="Run in real time, with N processes for the stages that can be shared out; auto measures "
    "a few frames and chooses between these and one process.",
)
@click.option(
    "--window-bytes",
    type=byte_count,
    metavar="SIZE",
    help="Bound on the shared memory for the frames of one stream that are under way, such as "
    "256M; fewer frames keep fewer handlers busy.  [what keeps all handlers busy]",
)
@click.option(
    "--stay", is_flag=True, help="Go on when all sources are over, for others to be added."
)
@click.option(
    "--web",
    type=listen_address,
    metavar="[HOST:]PORT",
    help="Show the streams in a browser; without HOST, on this machine only.",
)
@click.option(
    "--metrics",
    type=listen_address,
    metavar="[HOST:]PORT",
    help="Serve metrics for Prometheus; without HOST, to this machine only.",
)
@click.option(
    "--max-failures",
    type=click.IntRange(0),
    help="How many frames of a stream may fail before the run does.  [0; any with --handlers]",
)
@click.option("-q", "--quiet", is_flag=True, help="Show errors only.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one line of JSON.")
@click.pass_context
def command(ctx: click.Context, /, *, pipeline_file: Path, **given: Any) -> None:
    """Run the pipeline that PIPELINE.yaml defines.

    Stages of your own are found in modules beside the file; paths in it are relative to the
    current folder.
    """
    sys.path.insert(0, str(pipeline_file.resolve().parent))
    with exits_as_errors():
        definition = load_definition(pipeline_file)
        given["sources"] = tuple(map(StreamSpec, given["sources"])) or definition.sources
        given["handlers"] = given["handlers"] or definition.handlers
        run = _Run(pipeline_file=pipeline_file, definition=definition, **given)
        ctx.exit(run.inline() if (handlers := run.choose()) is None else run.graph(handlers))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What the command line and the file ask for together."""

    pipeline_file: Path
    definition: Definition
    sources: tuple[StreamSpec, ...]
    handlers: int | Literal["auto"] | None
    window_bytes: int | None
    stay: bool
    web: tuple[str, int] | None
    metrics: tuple[str, int] | None
    max_failures: int | None
    quiet: bool
    as_json: bool

    def choose(self) -> int | None:
        """Find out how many handlers there are to be; None: run in this process."""
        if not self.sources and not self.stay:
            raise PipelineError(f"{self.pipeline_file} names no source; add one, or use --source")
        if self.handlers is None:
            of_graphs = {
                "--window-bytes": self.window_bytes,
                "--stay": self.stay,
                "--metrics": self.metrics,
            }
            for option, is_given in of_graphs.items():
                if is_given:
                    raise click.UsageError(f"{option} needs --handlers with a number or auto.")
            return None
        if self.handlers != "auto":
            return self.handlers
        from sightline.graph.choice import choose_handlers

        needs_graph = self.stay or self.metrics is not None
        choice = choose_handlers(self.definition.pipeline, self.sources, needs_graph=needs_graph)
        if not self.quiet:
            chosen = choice.handlers
            what = "this process" if chosen is None else counted(chosen, "handler")
            click.echo(f"Chose {what}: {choice.reason}.", err=True)
        return choice.handlers

    def inline(self) -> Exit:
        """Run in this process."""
        spec = _only_source(self.sources, self.pipeline_file)
        most = sys.maxsize if self.handlers is not None else 0
        max_failures = most if self.max_failures is None else self.max_failures
        tally = Tally()
        with closing(open_source(spec.source)) as opened, self.definition.pipeline as pipeline:
            report = watched_run(
                pipeline,
                opened,
                sinks=[*self._outputs(self._view()), tally],
                display=choose_display(quiet=self.quiet or self.as_json),
                max_failures=max_failures,
            )
        summary = {
            "source": spec.place,
            **summarise(report, tally),
            "options": {"pipeline_file": str(self.pipeline_file), "max_failures": max_failures},
        }
        show_summary(summary, as_json=self.as_json, quiet=self.quiet)
        return report_status(report)

    def graph(self, handlers: int) -> Exit:
        """Run with processes for sources and handlers."""
        from sightline.cli.graph_run import WatchedGraph, graph_status, show_graph_summary

        view = self._view()
        report, summary = WatchedGraph(
            pipeline=self.definition.pipeline,
            specs=self.sources,
            sinks=self._outputs(view),
            options=GraphOptions(
                handlers=handlers,
                window_bytes=self.window_bytes,
                max_failures=self.max_failures,
                stay=self.stay,
            ),
            metrics=self.metrics,
            web=view,
            quiet=self.quiet or self.as_json,
        ).run()
        summary["sources"] = [spec.place for spec in self.sources]
        summary["options"] = {
            "pipeline_file": str(self.pipeline_file),
            "max_failures": self.max_failures,
            "handlers": self.handlers,
            "window_bytes": self.window_bytes,
        }
        show_graph_summary(summary, as_json=self.as_json, quiet=self.quiet)
        return graph_status(report)

    def _view(self) -> Web | None:
        if self.web is None:
            return None
        from sightline.live.web import Web

        host, port = self.web
        return Web(port, host)

    def _outputs(self, view: Web | None) -> list[Sink | StreamSinks]:
        """List the sinks, the view first: a port that is taken is noticed before a file is made."""
        return [*([] if view is None else [view]), *self.definition.sinks]


def _only_source(specs: tuple[StreamSpec, ...], pipeline_file: Path) -> StreamSpec:
    """Find the one source that a run in this process can have."""
    if len(specs) > 1:
        raise PipelineError(
            f"{pipeline_file} names {len(specs)} sources, which need processes of their own; "
            "add the key handlers with a number or auto"
        )
    (spec,) = specs
    if not spec.is_plain:
        raise PipelineError(
            f"{pipeline_file} says of its source how it is paced or named, which needs a process "
            "of its own; add the key handlers with a number or auto"
        )
    return spec
