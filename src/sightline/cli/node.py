"""`sightline node`: the nodes of a graph over several machines, each started by hand."""

from __future__ import annotations

import sys
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.cli.exits import Exit
from sightline.cli.interrupt import stop_on_signal
from sightline.cli.outputs import free_name, split_formats
from sightline.cli.parameters import byte_count, listen_address, rate_or_native
from sightline.graph.plan import Step, StepKind, make_plan
from sightline.pipeline.definition import load_definition
from sightline.pipeline.outputs import ALL_FORMATS, DEFAULT_FORMATS, make_sinks, sinks_for
from sightline.pipeline.stages import Track
from sightline.pipeline.stream_spec import StreamSpec
from sightline.stream import StreamInfo

if TYPE_CHECKING:
    from sightline.pipeline.definition import Definition
    from sightline.sinks.sink import Sink

__all__ = ["command"]

_QUIET = click.option("-q", "--quiet", is_flag=True, help="Show errors only.")
_UNTIL_END = click.option(
    "--until-end",
    is_flag=True,
    help="Leave when the streams are over, instead of waiting for more.",
)


@click.group("node")
def command() -> None:
    """Run one node of a graph over several machines.

    A source reads a video or camera, any number of handlers do the stateless stages of a pipeline,
    a collector puts the results in order, does the other stages and writes or shows them. Start
    them in any order; handlers may join and leave at any time. Nodes on one machine exchange
    images through shared memory.

    Connections are neither encrypted nor authenticated: use them in networks that you trust.
    """


@command.command()
@click.argument("video")
@click.option(
    "--bind",
    metavar="ADDRESS",
    default="tcp://*:5557",
    show_default=True,
    help="Where handlers connect to.",
)
@click.option(
    "--rate",
    type=rate_or_native,
    metavar="N|native",
    help="Read a recording at its own rate, or at N frames per second. [as fast as it is handled]",
)
@click.option(
    "--mode",
    type=click.Choice(["every-frame", "auto", "freshest"]),
    help="If handlers are too slow: wait, drop what is stale, or drop all but the newest frame. "
    "[auto for live sources, every-frame for others]",
)
@click.option(
    "--staleness",
    "staleness_s",
    type=float,
    default=0.5,
    show_default=True,
    metavar="S",
    help="In mode auto: how many seconds old, at most a day, a frame may become before it is "
    "dropped.",
)
@click.option("--name", help="Name of the stream. [that of the video]")
@click.option(
    "--window-bytes",
    type=byte_count,
    metavar="SIZE",
    help="Bound on the shared memory for frames under way, such as 32M. [256M, or half of what is "
    "free]",
)
@click.option(
    "--wait-handlers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Read the first frame when so many handlers are there.",
)
@_QUIET
@click.pass_context
def source(ctx: click.Context, /, **given: Any) -> None:
    """Read VIDEO and give its frames to the handlers that connect.

    VIDEO is a file, a folder of images, a camera index, an http(s):// or rtsp:// URL, or a
    generated scene such as scene:street?seed=3. The node ends when the collector is finished with
    all frames.
    """
    from sightline.graph.node_source import SourceNode, SourceNodeOptions

    names = ("name", "rate", "mode", "staleness_s")
    spec = StreamSpec(given["video"], **{name: given[name] for name in names})
    options = SourceNodeOptions(
        bind=given["bind"],
        window_bytes=given["window_bytes"],
        wait_handlers=given["wait_handlers"],
    )
    node = SourceNode(spec, options, tell=_teller(quiet=given["quiet"]))
    with stop_on_signal() as stop:
        node.run(stop)
    for message in node.losses.messages if node.losses else ():
        click.echo(f"Warning: {given['video']}: {message}", err=True)
    if stop.is_set():
        ctx.exit(Exit.INTERRUPTED)
    ctx.exit(Exit.INCOMPLETE if node.losses else Exit.OK)


@command.command()
@click.argument("pipeline_file", metavar="PIPELINE.yaml", type=click.Path(path_type=Path))
@click.option(
    "--connect",
    "sources",
    metavar="ADDRESS",
    multiple=True,
    required=True,
    help="Where a source listens, such as tcp://cam-1:5557; repeatable.",
)
@click.option(
    "--to",
    "collector",
    metavar="ADDRESS",
    required=True,
    help="Where the collector listens, such as tcp://cam-1:5558.",
)
@_UNTIL_END
@_QUIET
@click.pass_context
def handler(
    ctx: click.Context,
    *,
    pipeline_file: Path,
    sources: tuple[str, ...],
    collector: str,
    until_end: bool,
    quiet: bool,
) -> None:
    """Do the stateless stages of PIPELINE.yaml on the frames of sources.

    These are the stages up to the first that needs all frames in order, such as a tracker; that
    one and the rest are the collector's, which may be given the same file.
    """
    from sightline.graph.node_handler import HandlerNode, HandlerNodeOptions

    options = HandlerNodeOptions(sources=sources, collector=collector, until_end=until_end)
    steps = _plan(_load(pipeline_file))
    node = HandlerNode(steps, options, tell=_teller(quiet=quiet))
    with stop_on_signal() as stop:
        node.run(stop)
    ctx.exit(Exit.INTERRUPTED if stop.is_set() else Exit.OK)


@command.command()
@click.argument(
    "pipeline_file", metavar="[PIPELINE.yaml]", required=False, type=click.Path(path_type=Path)
)
@click.option(
    "--bind",
    metavar="ADDRESS",
    default="tcp://*:5558",
    show_default=True,
    help="Where handlers connect to.",
)
@click.option("--window", is_flag=True, help="Show each stream in a window of the desktop.")
@click.option(
    "--web",
    type=listen_address,
    metavar="[HOST:]PORT",
    help="Show the streams in a browser; without HOST, on this machine only.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the results of each stream to DIR/<stream>/.",
)
@click.option(
    "-f",
    "--format",
    "formats",
    type=split_formats,
    metavar="FORMATS",
    multiple=True,
    help=f"What to write there, of {', '.join(ALL_FORMATS)}; repeatable. [all but parquet]",
)
@_UNTIL_END
@_QUIET
@click.pass_context
def collector(ctx: click.Context, /, **given: Any) -> None:
    """Put the results of handlers in order, and write or show them.

    With PIPELINE.yaml its stages that need all frames in order are done here, and its sinks
    written; the stages before them are the handlers'.
    """
    from sightline.graph.node_collector import CollectorNode, CollectorNodeOptions

    if given["formats"] and given["output"] is None:
        raise click.UsageError("--format needs --output.")
    definition = None if given["pipeline_file"] is None else _load(given["pipeline_file"])
    named = [] if definition is None else definition.pipeline.named_stages
    tell = _teller(quiet=given["quiet"])
    outputs = _Outputs(definition, given)
    options = CollectorNodeOptions(
        bind=given["bind"],
        make_sinks=outputs.make,
        descriptions=[stage.describe() for _, stage in named],
        until_end=given["until_end"],
    )
    with closing(outputs), stop_on_signal() as stop:
        outputs.open_views()
        node = CollectorNode(_plan(definition), options, tell=tell)
        node.run(stop)
    if stop.is_set():
        ctx.exit(Exit.INTERRUPTED)
    ctx.exit(Exit.OK if all(report.complete for report in node.reports) else Exit.INCOMPLETE)


class _Outputs:
    """Where the streams of a collector go."""

    def __init__(self, definition: Definition | None, given: dict[str, Any]) -> None:
        self._sinks = () if definition is None else definition.sinks
        stages = () if definition is None else definition.pipeline.stages
        self._is_tracked = any(isinstance(stage, Track) for stage in stages)
        self._root: Path | None = given["output"]
        self._formats = [name for group in given["formats"] for name in group] or DEFAULT_FORMATS
        self._taken: set[str] = set()
        self._written: set[str] = set()
        self._views: list[Any] = []
        if given["window"]:
            from sightline.live.window import Window

            self._views.append(Window())
        if given["web"] is not None:
            from sightline.live.web import Web

            host, port = given["web"]
            self._views.append(Web(port, host))

    def open_views(self) -> None:
        """Find out whether streams can be shown, before there is one; serve the page from now on.

        Raises:
            OutputError: There is no display, or the port cannot be had.
        """
        nothing = StreamInfo(name="collector", width=1, height=1, time_base=Fraction(1))
        for view in self._views:
            with closing(view.for_stream(nothing)) as sink:
                sink.open(nothing)

    def make(self, stream: StreamInfo) -> list[Sink]:
        """Make the sinks of a stream; one that comes again, after its end, takes its own place.

        Raises:
            SightlineError: They cannot be made, as when an output for one stream has had another.
        """
        written = self._written | {stream.name}
        sinks = sinks_for(self._sinks, stream, streams=len(written))
        self._written = written
        if self._root is not None:
            folder = self._root / free_name(stream.name, self._taken)
            sinks += make_sinks(self._formats, folder, tracked=self._is_tracked)
        return [*sinks, *(view.for_stream(stream) for view in self._views)]

    def close(self) -> None:
        """Take away what shows streams."""
        for view in self._views:
            view.close()


def _load(pipeline_file: Path) -> Definition:
    """Read a pipeline file, with stages of one's own in modules beside it."""
    sys.path.insert(0, str(pipeline_file.resolve().parent))
    return load_definition(pipeline_file)


def _plan(definition: Definition | None) -> list[Step]:
    if definition is None:
        return [Step(kind=StepKind.ORDERED, stages=())]
    return make_plan(definition.pipeline.named_stages, spread=False)


def _teller(*, quiet: bool) -> Any:
    """Make what shows lines; errors are shown always."""

    def tell(line: str) -> None:
        if not quiet or line.startswith("Error: "):
            click.echo(line, err=True)

    return tell
