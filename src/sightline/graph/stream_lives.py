"""The lives of streams in a hub: announced, begun with a lane, ended, closed; or cut short.

It knows lanes and reports; where frames come from is in `inlets`, where they go in `traffic`.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sightline.errors import GraphError
from sightline.graph.changes import Changes
from sightline.graph.lane import Lane, LaneOptions
from sightline.graph.modes import Mode
from sightline.graph.occupancy import Occupancy
from sightline.graph.report import StreamReport
from sightline.pipeline.report import RunReport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sightline.graph.inlets import Inlets
    from sightline.graph.plan import Step
    from sightline.graph.record import FrameRecord
    from sightline.graph.report import GraphReport
    from sightline.graph.streams import StreamState
    from sightline.graph.traffic import Traffic
    from sightline.pipeline.stream_spec import StreamSpec
    from sightline.sinks.sink import Sink
    from sightline.stream import StreamInfo
    from sightline.transport.messages import Announce
    from sightline.transport.wakeup import Wakeup

__all__ = ["StreamLives", "StreamPlan"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPlan:
    """What is done with every stream.

    Attributes:
        steps: The plan of the pipeline.
        descriptions: What each stage says of itself, for reports.
        make_sinks: Makes the sinks of a stream.
    """

    steps: Sequence[Step]
    descriptions: list[dict[str, Any]]
    make_sinks: Callable[[StreamInfo], Sequence[Sink]]


class StreamLives:
    """Begins and ends streams. Used by one thread; lanes hand their news over to `attend()`.

    Attributes:
        has_begun: Frames are processed; before, what cannot be opened ends the graph.
        changes: What was changed of stages, for handlers and lanes that come later.
    """

    def __init__(
        self,
        plan: StreamPlan,
        report: GraphReport,
        *,
        inlets: Inlets,
        traffic: Traffic,
        wakeup: Wakeup,
    ) -> None:
        self.has_begun = False
        self.changes = Changes()
        self._options = plan
        self._report = report
        self._inlets = inlets
        self._traffic = traffic
        self._wakeup = wakeup
        self._came_back: deque[FrameRecord] = deque()
        self._opened: deque[StreamState] = deque()
        self._refused: deque[tuple[str, dict[str, Any]]] = deque()
        self._closed: deque[tuple[StreamState, Exception | None]] = deque()

    def attend(self) -> None:
        """See to what lanes have done since the last time."""
        closed = [self._closed.popleft() for _ in range(len(self._closed))]
        came_back = self._came_back
        while came_back:  # before their lane counts as closed
            self._traffic.came_back(came_back.popleft())
        while self._refused:
            self.changes.withdraw(*self._refused.popleft())
        while self._opened:
            self._lane_opened(self._opened.popleft())
        for state, error in closed:
            self._lane_closed(state, error)

    def change(self, stage: str, parameters: dict[str, Any]) -> None:
        """Change parameters of a stage in all lanes, and in those that come later."""
        self.changes.note(stage, parameters)
        for state in self._inlets.streams.values():
            if state.lane is not None:
                state.lane.change(stage, parameters)

    def add(self, spec: StreamSpec) -> str:
        """Open a source for a further stream; return its name, a stand-in until it is open.

        Raises:
            GraphError: The name is taken.
            PipelineError: The source cannot be sent to another process.
        """
        state = self._inlets.open(spec)
        state.was_added = True
        self._report.unopened.pop(state.name, None)  # it may come to be, this time
        return state.name

    def announced(self, feeder: bytes, message: Announce) -> None:
        """Take in that a source is open: of a new stream, again, or in the place of another.

        Raises:
            ProtocolError: It makes no sense.
        """
        takes_over = self._inlets.find_replaced(feeder) is not None
        state = self._inlets.announced(feeder, message)
        if state is None:
            return
        if state.report is None:
            self._begin(state)
            return
        if state.report.occupancy is not None:
            state.report.occupancy.window = state.window
        if takes_over:
            state.report.replacements += 1
            self._traffic.new_epoch(state)

    def refuse(self, feeder: bytes, error: Exception) -> bool:
        """End a stream whose feeder talks nonsense; tell whether there is such a stream.

        If it only opens another source for a stream, that one is not replaced.
        """
        if (state := self._inlets.find_replaced(feeder)) is not None:
            self._inlets.give_up(state, error)
        elif (state := self._inlets.find(feeder)) is not None:
            self._inlets.silence(state)
            state.error, state.end = error, state.admitted
            if state.report is None:
                state.info = None  # it is not open, whatever was taken in of its announcement
        else:
            return False
        self.check_end(state)
        return True

    def _begin(self, state: StreamState) -> None:
        """Begin the account of a stream."""
        assert state.info is not None  # that is what was announced
        state.report = StreamReport(
            run=RunReport(stream=state.info, stages=self._options.descriptions),
            policy=state.policy,
            occupancy=Occupancy(state.window),
        )
        self._report.streams[state.name] = state.report
        self._traffic.add_stream(state)
        if self.has_begun:
            self._open_lane(state)

    def have_opened(self, states: Sequence[StreamState]) -> bool:
        """Open the streams that the graph begins with; return whether all are open.

        Raises:
            SightlineError: A sink of a stream that the graph was started with cannot be opened.
        """
        for state in states:
            if state.lane is None:
                self._open_lane(state)
        lanes = [(state.lane, state.was_added) for state in states if state.lane is not None]
        if not all(lane.is_open for lane, _ in lanes):
            return False
        for lane, was_added in lanes:
            if lane.error is not None and not was_added:
                raise lane.error
        return True

    def _open_lane(self, state: StreamState) -> None:
        """Open the sinks of a stream and the thread that feeds them."""
        assert state.info is not None
        stale = state.policy.staleness_s if state.policy.mode is Mode.AUTO else None

        options = LaneOptions(
            steps=self._options.steps,
            staleness_s=stale,
            on_done=self._came_back.append,
            on_open=lambda: self._opened.append(state),
            on_end=lambda error: self._closed.append((state, error)),
            wake=self._wakeup.set,
            on_refused=lambda stage, values: self._refused.append((stage, values)),
        )
        try:
            sinks = self._options.make_sinks(state.info)
        except Exception as error:
            if not (self.has_begun or state.was_added):
                raise
            _log.warning("no sinks for stream=%s reason=%s", state.name, error)
            state.error = error
            self.cut(state, "sinks failed")
            return
        state.lane = Lane(state.info, sinks, options)
        for stage, parameters in self.changes:
            state.lane.change(stage, parameters)

    def _lane_opened(self, state: StreamState) -> None:
        """Give up a stream that was added and whose sinks cannot be opened."""
        failed = state.lane is not None and state.lane.error is not None
        if failed and (self.has_begun or state.was_added) and state.end is None:
            self.cut(state, "sinks failed")

    def check_end(self, state: StreamState) -> None:
        """Close the lane of a stream whose every frame has its outcome."""
        if state.end is None or state.is_over or state.is_closing or state.settled < state.end:
            return
        never_came = state.was_added and state.report is None
        if state.is_replacing or not (self.has_begun or never_came):
            return
        state.is_closing = True
        if state.lane is None:
            self._lane_closed(state, None)
        else:
            state.lane.end(discard=state.error is not None)

    def _lane_closed(self, state: StreamState, error: Exception | None) -> None:
        state.is_over = True
        state.lane = None
        state.error = state.error or error
        if state.report is not None:
            state.report.error = state.error
            state.report.ended = not state.is_cut
        elif state.error is not None:
            self._report.unopened[state.name] = state.error
        self._traffic.remove_stream(state)
        self._inlets.discharge(state)

    def remove(self, name: str) -> None:
        """Let a stream end: what was admitted is finished.

        Raises:
            GraphError: There is no such stream, or it is over.
        """
        state = self._find(name)
        self.cut(state, "removed")

    def _find(self, name: str) -> StreamState:
        """Find a stream that is not over.

        Raises:
            GraphError: There is no such stream, or it is over.
        """
        state = self._inlets.streams.get(name)
        if state is None:
            raise GraphError(f"there is no stream {name!r}")
        if state.is_over:
            raise GraphError(f"stream {name!r} is over; add another one")
        return state

    def replace(self, name: str, spec: StreamSpec) -> None:
        """Take the frames of a stream from another source as soon as that is open.

        Raises:
            GraphError: There is no such stream, or it is at its end.
            PipelineError: The source cannot be sent to another process.
        """
        state = self._find(name)
        if state.is_cut or state.is_closing:
            raise GraphError(f"stream {name!r} is at its end; add another one")
        self._inlets.replace(state, spec)

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Say as JSON values, by stream, what is under way, and which sources are being opened."""
        streams = self._inlets.streams
        under_way = self.under_way
        return {
            "under_way": under_way,
            "window": {name: streams[name].window for name in under_way},
            "queued": {name: self._traffic.queued(name) for name in under_way},
            "replacing": {
                state.name: {
                    "place": replacement.spec.place,
                    "error": None if replacement.error is None else str(replacement.error),
                }
                for state in streams.values()
                if (replacement := state.replacement) is not None
            },
        }

    @property
    def are_over(self) -> bool:
        """Whether all streams are over."""
        return all(state.is_over for state in self._inlets.streams.values())

    @property
    def under_way(self) -> dict[str, int]:
        """How many frames of each stream that is not over have no outcome yet."""
        streams = self._inlets.streams.values()
        return {state.name: state.in_flight for state in streams if not state.is_over}

    def cut_all(self, reason: str) -> None:
        """Take nothing more from any source; finish what handlers have begun."""
        for state in list(self._inlets.streams.values()):
            if state.report is not None and state.end is None:
                state.report.run.stopped = True
            if not state.is_over:
                self.cut(state, reason)

    def close_all(self, *, discard: bool) -> list[Lane]:
        """Have all lanes close their sinks now and drop what waits in them; return these lanes.

        Args:
            discard: Give up outputs that have no frame.
        """
        lanes = []
        for state in self._inlets.streams.values():
            if (lane := state.lane) is not None and not state.is_over:
                state.is_closing = True
                lane.cut()
                lane.end(discard=discard)
                lanes.append(lane)
        return lanes

    def give_up_all(self) -> None:
        """Account for the frames that will have no outcome any more."""
        for state in self._inlets.streams.values():
            if state.report is not None:
                state.report.admitted = state.admitted
                state.report.give_up(state.in_flight)

    def cut(self, state: StreamState, reason: str) -> None:
        """Take nothing more from a source; finish what handlers have begun."""
        if state.end is None:
            state.is_cut = True
            state.end = state.admitted
        self._inlets.silence(state)
        self._inlets.give_up(state, GraphError(f"the stream is at its end: {reason}"))
        if state.report is not None:
            self._traffic.drop_waiting(state, reason)
        self.check_end(state)
