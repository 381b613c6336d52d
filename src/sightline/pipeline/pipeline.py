"""The pipeline: stages in a row, and the ways to run them."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, overload

from sightline.errors import PipelineError
from sightline.pipeline.arguments import (
    as_handlers,
    as_options,
    as_sinks,
    as_sources,
    check_source,
)
from sightline.pipeline.ending import at_end
from sightline.pipeline.graph_options import GraphOptions
from sightline.pipeline.inline import InlineRun, RunOptions, frames_in_window
from sightline.pipeline.outputs import close_shared, sinks_for
from sightline.pipeline.stage import Stage
from sightline.pipeline.stream_spec import StreamSpec
from sightline.pipeline.write_behind import WriteBehind
from sightline.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Self

    from sightline.media.source import Source
    from sightline.pipeline.report import RunReport
    from sightline.sinks.sink import Sink, StreamSinks

    SourceLike = StreamSpec | str | int | Path | Source

__all__ = ["Pipeline"]


class Pipeline:
    """Stages that every frame of a stream passes in a row.

    One pipeline can be run many times, over one source after the other. As a context manager it
    keeps its models loaded between runs:

        with sl.Pipeline([sl.Detect("yolox-s"), sl.Track()]) as pipeline:
            for video in videos:
                pipeline.run(video, sinks=[sl.MotFile(video.with_suffix(".txt"))])

    Args:
        stages: At least one; the same object must not stand in a pipeline twice.

    Raises:
        PipelineError: There is no stage, or what is given is no stage.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        if not stages:
            raise PipelineError("a pipeline needs at least one stage, but got none")
        for stage in stages:
            _check(stage)
        if len({id(stage) for stage in stages}) < len(stages):
            raise PipelineError("a stage object stands in the pipeline twice; make a second object")
        self.stages = tuple(stages)
        self._open: ExitStack | None = None

    @property
    def named_stages(self) -> list[tuple[str, Stage]]:
        """The stages with names that are unique in this pipeline: `draw`, `draw-2`."""
        count: dict[str, int] = {}
        named = []
        for stage in self.stages:
            nth = count[stage.name] = count.get(stage.name, 0) + 1
            named.append((stage.name if nth == 1 else f"{stage.name}-{nth}", stage))
        return named

    @property
    def is_open(self) -> bool:
        """Whether the stateless stages are open."""
        return self._open is not None

    def open(self) -> None:
        """Open the stateless stages, which load their models; does nothing if they are open."""
        if self._open is not None:
            return
        with ExitStack() as stack:
            for stage in self.stages:
                if stage.scope is Scope.STATELESS:
                    stage.open()
                    stack.push(at_end(stage.close))
            self._open = stack.pop_all()

    def close(self) -> None:
        """Close the stateless stages; does nothing if they are closed."""
        stack, self._open = self._open, None
        if stack is not None:
            stack.close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def frames(
        self, source: str | int | Path | Source, *, options: RunOptions | None = None
    ) -> InlineRun:
        """Run inline and hand the processed frames to the caller.

        Opens the pipeline if it is not open, and then leaves it open.

        Args:
            source: Whatever `open_source` takes.
            options: How the run behaves.

        Returns:
            An iterable of frames in order, to be read once. Close it, or use it in `with`, when
            leaving it early.

        Raises:
            PipelineError: What is given is no source, or no options of such a run.
            MediaError: The source cannot be opened.
            ModelError: A stage cannot load its model.
        """
        from sightline.media.opening import open_source

        check_source(source)
        options = as_options(options, RunOptions, why="this runs in one process")
        opened = open_source(source)
        with ExitStack() as stack:
            stack.push(at_end(opened.close))
            self.open()
            run = InlineRun(opened, self.named_stages, options=options)
            stack.pop_all()
        return run

    @overload
    def run(
        self,
        source: str | int | Path | Source,
        sinks: Sequence[Sink | StreamSinks] = (),
        *,
        options: RunOptions | None = None,
        on_frame: Callable[[RunReport], Any] | None = None,
    ) -> RunReport: ...

    @overload
    def run(
        self,
        source: SourceLike | Sequence[SourceLike],
        sinks: Sequence[Sink | StreamSinks] = (),
        *,
        handlers: int | Literal["auto"],
        options: GraphOptions | None = None,
        on_frame: Callable[[Any], Any] | None = None,
    ) -> Any: ...

    @overload
    def run(
        self,
        source: SourceLike | Sequence[SourceLike],
        sinks: Sequence[Sink | StreamSinks] = (),
        *,
        options: GraphOptions,
        on_frame: Callable[[Any], Any] | None = None,
    ) -> Any: ...

    def run(
        self,
        source: Any,
        sinks: Sequence[Sink | StreamSinks] = (),
        *,
        handlers: int | Literal["auto"] | None = None,
        options: Any = None,
        on_frame: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Run until the source ends, feeding every frame to all sinks.

        Without `handlers` all happens in this process. With them the pipeline runs as a real-time
        graph: a process per source, handler processes for the stateless stages, and this process
        for stream stages and sinks; the results are the same. `GraphOptions` ask for a graph, too,
        of as many handlers as they say.

        Nothing is written before the source and all models are open. However the run ends,
        the outputs are valid for the frames that were finished; if there is none because of an
        error, no output is left.

        Args:
            source: Whatever `open_source` takes; with handlers also a `StreamSpec`, or a list.
            sinks: Where results go; each sink object serves one run.
            handlers: How many handler processes; `auto`: measure a few frames, then choose between
                these and this process, and log why.
            options: How the run behaves: `RunOptions`, or for a graph `GraphOptions`.
            on_frame: Called in this thread with the report so far, after every frame; with
                handlers, a few times a second.

        Returns:
            A `RunReport`; with handlers a `GraphReport`; with `auto` the one that belongs to what
            was chosen.

        Raises:
            PipelineError: An argument is not what it must be; nothing has been opened then.
            MediaError: The source cannot be opened, or failed for good.
            ModelError: A stage cannot load its model.
            StageError: A stage raised on more frames than `options.max_failures`.
            OutputError: A sink cannot write.
            GraphError: The graph cannot be started, or cannot go on.
        """
        sinks = as_sinks(sinks)
        if handlers is None and isinstance(options, GraphOptions):
            handlers = options.handlers
        if handlers is None:
            return self._run_inline(source, sinks, options=options, on_frame=on_frame)
        handlers, sources = as_handlers(handlers), as_sources(source)
        options = as_options(options, GraphOptions, why="'handlers' ask for a graph")
        if handlers == "auto":
            choice = import_module("sightline.graph.choice")  # a layer above this one
            chosen = choice.choose_handlers(self, sources, needs_graph=options.stay)
            handlers = chosen.handlers
        if handlers is None:
            (only,) = sources
            only = only.source if isinstance(only, StreamSpec) else only
            return self._run_inline(only, sinks, options=_as_inline(options), on_frame=on_frame)
        graph = import_module("sightline.graph.running")  # a layer above this one
        options = replace(options, handlers=handlers)
        return graph.run_graph(self, sources, sinks, options=options, on_progress=on_frame)

    def start(
        self,
        sources: Sequence[SourceLike],
        sinks: Sequence[Sink | StreamSinks] = (),
        *,
        options: GraphOptions | None = None,
    ) -> Any:
        """Start the pipeline as a real-time graph and return at once.

        Returns:
            A `GraphRun`, to steer it while it runs; close it, or use it in `with`.

        Raises:
            PipelineError: A stage or source cannot be sent to another process, a sink takes only
                one stream, or an argument is not what it must be.
        """
        options = as_options(options, GraphOptions, why="this starts a graph")
        graph = import_module("sightline.graph.running")  # a layer above this one
        return graph.GraphRun(self, as_sources(sources), sinks, options=options)

    def _run_inline(
        self,
        source: str | int | Path | Source,
        sinks: Sequence[Sink | StreamSinks],
        *,
        options: RunOptions | None,
        on_frame: Callable[[RunReport], Any] | None,
    ) -> RunReport:
        options = as_options(options, RunOptions, why="without 'handlers' this runs in one process")
        with ExitStack() as stack:
            if not self.is_open:
                stack.push(at_end(self.close))
            stack.push(at_end(partial(close_shared, sinks)))
            run = stack.enter_context(self.frames(source, options=options))
            report = run.report
            window = frames_in_window(options.window_bytes, report.stream)
            chosen = sinks_for(sinks, report.stream, streams=1)
            writer = WriteBehind(chosen, report.stream, window=window, times=report.steps)
            started = time.perf_counter()
            with writer:
                for frame in run:
                    writer.put(frame)
                    if on_frame is not None:
                        on_frame(report)
            report.wall_s = time.perf_counter() - started
        return report


def _check(stage: Any) -> None:
    if isinstance(stage, type) and issubclass(stage, Stage):
        name = stage.__name__
        raise PipelineError(f"{name} is a class; make a stage of it: {name}(…)")
    if not isinstance(stage, Stage):
        raise PipelineError(f"{stage!r} is not a stage; derive its class from Stage")
    if not isinstance(stage.scope, Scope):
        raise PipelineError(
            f"stage {stage.name!r}: scope must be Scope.STATELESS or Scope.STREAM, but is "
            f"{stage.scope!r}"
        )
    if stage.batch_size < 1:
        raise PipelineError(
            f"stage {stage.name!r}: batch_size must be 1 or more, but is {stage.batch_size}"
        )


def _as_inline(options: GraphOptions) -> RunOptions:
    most = sys.maxsize if options.max_failures is None else options.max_failures
    return RunOptions(max_failures=most, stop=options.stop)
