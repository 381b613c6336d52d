"""Running a pipeline as a real-time graph on this machine, and steering it while it runs."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from sightline.errors import GraphError, PipelineError
from sightline.graph.changes import make_change
from sightline.graph.control import SOCKET_NAME, ControlServer
from sightline.graph.exposition import hops_and_drops, metrics_text
from sightline.graph.hub import Hub
from sightline.graph.hub_options import HubOptions
from sightline.graph.plan import batch_size, make_plan, makes_images
from sightline.graph.snapshots import Snapshots
from sightline.graph.stream_lives import StreamPlan
from sightline.pipeline.arguments import as_sinks
from sightline.pipeline.graph_options import GraphOptions
from sightline.pipeline.outputs import close_shared, sinks_for
from sightline.pipeline.stage import copy_of
from sightline.pipeline.stream_spec import StreamSpec
from sightline.settings import Settings
from sightline.transport.run_directory import RunDirectory, default_base

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Self

    from sightline.graph.report import GraphReport
    from sightline.media.source import Source
    from sightline.pipeline.pipeline import Pipeline
    from sightline.pipeline.stage import Stage
    from sightline.sinks.sink import Sink, StreamSinks
    from sightline.stream import StreamInfo

__all__ = ["GraphRun", "run_graph"]

_POLL_S = 0.2


@runtime_checkable
class _Showing(Protocol):
    """A sink that shows more of the graph than frames, such as `Web`."""

    stats: Callable[[], Mapping[str, Mapping[str, Any]]] | None
    metrics: Callable[[], str] | None


class GraphRun:
    """A pipeline at work as a graph; a context manager that stops it at the end.

    The stages and sources must be such that pickle can send them to other processes; sinks and
    stream stages stay in this one. A script that starts a graph must do so under
    `if __name__ == "__main__":`, because the processes import it.

    Args:
        pipeline: The stages.
        sources: What to read, one stream each.
        sinks: Where frames go; with several streams, such as make a sink per stream.
        options: How the graph behaves.
        settings: Where sockets are kept; by default read from the environment.

    Raises:
        PipelineError: A stage or source cannot be sent to another process, a sink takes only one
            stream, or something else is no sink.

    Attributes:
        snapshots: Call it for `stats()` of a moment ago, from any thread and as often as you like.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        sources: Sequence[StreamSpec | str | int | Path | Source],
        sinks: Sequence[Sink | StreamSinks] = (),
        *,
        options: GraphOptions | None = None,
        settings: Settings | None = None,
    ) -> None:
        self._options = options = options or GraphOptions()
        self._specs = [_spec(source) for source in sources]
        if not self._specs and not options.stay:
            raise PipelineError("a graph needs at least one source, but got none")
        self._names = dict(pipeline.named_stages)
        self._rehearsals: dict[str, Stage] = {}
        self._sinks = sinks = as_sinks(sinks)
        self._made: set[str] = set()
        self._started = time.time()
        self.snapshots = Snapshots(self.stats)
        settings = settings or Settings.from_environment(os.environ)
        with ExitStack() as stack:
            self._directory = stack.enter_context(RunDirectory.create(default_base(settings)))
            self._hub = Hub(self._directory, self._hub_options(pipeline))
            stack.callback(self._hub.discard)
            self._control = ControlServer(self, self._directory.path / SOCKET_NAME)
            stack.callback(self._control.close)
            stack.callback(close_shared, sinks)
            for sink in sinks:
                if isinstance(sink, _Showing):
                    _show_on(sink, self.snapshots)
            self._hub.start(self._specs)
            self._stack = stack.pop_all()

    def _hub_options(self, pipeline: Pipeline) -> HubOptions:
        options = self._options
        steps = make_plan(pipeline.named_stages)
        return HubOptions(
            plan=StreamPlan(
                steps=steps,
                descriptions=[stage.describe() for _, stage in pipeline.named_stages],
                make_sinks=self._make_sinks,
            ),
            handlers=options.handlers,
            outputs=makes_images(steps),
            frames=_frames(options.handlers * batch_size(steps), len(self._specs)),
            window_bytes=options.window_bytes,
            max_failures=options.max_failures,
            max_attempts=options.max_attempts,
            deadline_s=options.deadline_s,
            stay=options.stay,
            stop=options.stop,
        )

    def _make_sinks(self, stream: StreamInfo) -> list[Sink]:
        """Make the sinks of a stream; where more may come, none that takes only one."""
        self._made.add(stream.name)
        several = 2 if self._options.stay else max(len(self._specs), len(self._made))
        return sinks_for(self._sinks, stream, streams=several)

    @property
    def report(self) -> GraphReport:
        """The account of the graph; it is complete when the graph is over."""
        return self._hub.report

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until every stream is over, at most so long; return whether that is so.

        Raises:
            SightlineError: What made the graph fail.
        """
        return self._hub.wait(timeout_s)

    def finish(self, on_progress: Callable[[GraphReport], Any] | None = None) -> GraphReport:
        """Wait until every stream is over, or the graph was stopped; return the account.

        Args:
            on_progress: Called in this thread a few times a second with the account so far.

        Raises:
            SightlineError: What made the graph fail, or ended the only stream.
        """
        while not self.wait(_POLL_S):
            if on_progress is not None:
                on_progress(self.report)
        streams = list(self.report.streams.values())
        if len(streams) == 1 and streams[0].error is not None:
            raise streams[0].error
        return self.report

    def info(self) -> dict[str, Any]:
        """Say who and what this run is, as JSON values."""
        return {
            "run_id": self._directory.run_id,
            "pid": os.getpid(),
            "started": self._started,
            "stages": list(self._names),
        }

    def stats(self) -> dict[str, Any]:
        """Take a snapshot of the account as JSON values, with what is under way."""
        return self._hub.stats()

    def add(self, source: StreamSpec | str | int | Path | Source) -> str:
        """Add a stream while the others go on; return its name, a stand-in until it is open.

        A source that cannot be opened is told in `report.unopened`; the others go on.

        Raises:
            GraphError: The name is taken, be it by a stream that is over; or the graph is over.
            PipelineError: The source cannot be sent to another process.
        """
        return self._hub.add(_spec(source))

    def remove(self, stream: str) -> None:
        """End a stream: what was admitted is finished, its sinks are closed.

        Raises:
            GraphError: There is no such stream, it is over, or the graph is over.
        """
        self._hub.remove(stream)

    def replace(self, stream: str, source: StreamSpec | str | int | Path | Source) -> None:
        """Take the frames of a stream from another source as soon as that is open.

        Returns at once. Until then the stream goes on with the source that it has; if the new one
        cannot be opened, it keeps that, and `stats()["replacing"]` says why. What was admitted is
        finished first. Its numbers go on, its outputs, name and overload mode stay; stream stages
        begin anew, as trackers do not know the new scene.

        Raises:
            GraphError: There is no such stream, it is at its end, or the graph is over.
            PipelineError: The source cannot be sent to another process.
        """
        self._hub.replace(stream, _spec(source))

    def change(self, stage: str, /, **parameters: Any) -> None:
        """Change parameters of a stage that it declares changeable, from the next frames on.

        The stage of the pipeline that was given is left as it is, for the next run.

        A stage that is open may refuse a value that was accepted here. It keeps what it has, and
        that is logged as a warning.

        Raises:
            GraphError: There is no such stage, or the graph is over.
            PipelineError: A parameter is not changeable, or a value is wrong or cannot be sent to
                another process; nothing has changed then.
        """
        if stage not in self._names:
            known = ", ".join(self._names)
            raise GraphError(f"there is no stage {stage!r}; there are: {known}")
        change = make_change(stage, parameters)
        if stage not in self._rehearsals:  # the stages themselves stay as they were configured
            self._rehearsals[stage] = copy_of(self._names[stage])
        self._rehearsals[stage].change(**parameters)
        self._hub.change(change)

    def begin_stop(self) -> None:
        """Do what `stop` does, but do not wait for it."""
        self._hub.stop()

    def stop(self) -> None:
        """Stop: finish the frames at hand, close sinks and processes; returns when that is done.

        Raises:
            SightlineError: What made the graph fail.
        """
        self._hub.stop()
        self._hub.wait()

    def close(self) -> None:
        """Stop if it still runs, and leave nothing behind."""
        with self._stack:
            self.stop()


def run_graph(
    pipeline: Pipeline,
    sources: Sequence[StreamSpec | str | int | Path | Source],
    sinks: Sequence[Sink | StreamSinks],
    *,
    options: GraphOptions,
    on_progress: Callable[[GraphReport], Any] | None = None,
) -> GraphReport:
    """Run a pipeline as a graph until all streams are over; see `Pipeline.run`."""
    with GraphRun(pipeline, sources, sinks, options=options) as run:
        return run.finish(on_progress)


def _spec(source: Any) -> StreamSpec:
    return source if isinstance(source, StreamSpec) else StreamSpec(source)


def _show_on(sink: _Showing, snapshots: Snapshots) -> None:
    sink.stats = lambda: hops_and_drops(snapshots())
    sink.metrics = lambda: metrics_text(snapshots())


def _frames(at_hand: int, streams: int) -> int:
    """Frames of a stream under way: twice what handlers can have at hand, shared by the streams.

    And two more, of which one is being read and one written.
    """
    return 2 + -(-2 * at_hand // max(1, streams))
