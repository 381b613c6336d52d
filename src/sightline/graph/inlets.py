"""Where streams come in: their feeder processes, and what happens when a source ends or dies.

It knows when a source is opened, and when it is opened anew; not what becomes of its frames.
"""

from __future__ import annotations

import logging
import pickle
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sightline.errors import GraphError, MediaError, PipelineError
from sightline.graph.feeder import FeederOptions, run_feeder
from sightline.graph.modes import Mode
from sightline.graph.streams import Replacement, StreamState
from sightline.graph.telling import error_of
from sightline.transport.frames import info_of, unpack_losses
from sightline.transport.segment import unlink_segments

if TYPE_CHECKING:
    from sightline.pipeline.stream_spec import StreamSpec
    from sightline.stream import Losses
    from sightline.transport.messages import Announce, Ended
    from sightline.transport.processes import Children

__all__ = ["InletOptions", "Inlets", "add_losses"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class InletOptions:
    """What every feeder is told.

    Attributes:
        address: Where the hub listens.
        segment_prefix: What the names of shared-memory segments start with.
        frames: How many frames of a stream may be under way.
        window_bytes: Bound on the memory for these.
        outputs: Grant slots for the images that stages make.
    """

    address: str
    segment_prefix: str
    frames: int
    window_bytes: int | None
    outputs: bool


class Inlets:
    """The streams of a graph and their feeders. Used by one thread.

    Attributes:
        streams: All that were ever opened and not forgotten, by name.
    """

    def __init__(self, children: Children, options: InletOptions) -> None:
        self.streams: dict[str, StreamState] = {}
        self._children = children
        self._options = options
        self._by_feeder: dict[bytes, StreamState] = {}
        self._replacing: dict[bytes, StreamState] = {}
        self._slots_out: Counter[bytes] = Counter()
        self._retired: set[bytes] = set()
        self._started = 0

    def find(self, feeder: bytes) -> StreamState | None:
        """Find the stream that a feeder reads now; None: it was replaced, or is none of ours."""
        return self._by_feeder.get(feeder)

    def find_replaced(self, feeder: bytes) -> StreamState | None:
        """Find the stream for which a feeder opens another source; None: it does not."""
        return self._replacing.get(feeder)

    def lent(self, feeder: bytes, slots: int) -> None:
        """Note that slots of a feeder are in use."""
        self._slots_out[feeder] += slots

    def gave_back(self, feeder: bytes, slots: int) -> None:
        """Note that slots of a feeder are in use no more."""
        self._slots_out[feeder] -= slots

    def take_retired(self) -> list[bytes]:
        """Name the feeders that are not needed any more; the memory of dead ones is removed."""
        done = [feeder for feeder in self._retired if not self._slots_out[feeder]]
        for feeder in done:
            self._retired.remove(feeder)
            del self._slots_out[feeder]
            unlink_segments(self._segments(feeder))
        return done

    def open(self, spec: StreamSpec) -> StreamState:
        """Start to read a source.

        Raises:
            GraphError: There is a stream of that name, or was one, whose account and outputs stay.
            PipelineError: The source cannot be sent to another process.
        """
        name = spec.name or f"source {len(self.streams) + 1}"
        _check_travels(spec, name)
        same = self.streams.get(name)
        if same is not None and not (same.is_over and same.report is None):
            raise GraphError(f"there is a stream {name!r} already; choose another name")
        state = StreamState(spec=spec, name=name, feeder=b"", window=self._options.frames)
        self.streams[name] = state
        self._start(state)
        return state

    def replace(self, state: StreamState, spec: StreamSpec) -> None:
        """Open another source for a stream, which takes over when it is announced.

        Raises:
            PipelineError: The source cannot be sent to another process.
        """
        _check_travels(spec, state.name)
        if state.is_replacing:
            self.give_up(state, GraphError("another source was named since"))
        options = self._options_of(state, state.spec_with(spec))
        state.replacement = Replacement(state.spec_with(spec), options.identity)
        self._replacing[options.identity] = state
        self._children.start(options.identity, run_feeder, options)

    def give_up(self, state: StreamState, error: Exception) -> None:
        """Retire the feeder that opens another source for a stream, if there is one."""
        replacement = state.replacement
        if replacement is not None and replacement.error is None:
            _log.warning("source not replaced stream=%s error=%s", state.name, error)
            replacement.error = error
            del self._replacing[replacement.feeder]
            self._retired.add(replacement.feeder)

    def that_can_begin(self, *, is_late: bool) -> list[StreamState] | None:
        """Name the streams to begin with; None as long as sources are waited for.

        Args:
            is_late: Wait no longer for a source, unless there is no other.

        Raises:
            SightlineError: A source that the graph was started with cannot be opened.
        """
        streams = self.streams.values()
        for state in streams:
            is_lost = state.info is None and state.end is not None and not state.is_replacing
            if is_lost and state.error is not None and not state.was_added:
                raise state.error
        there = [state for state in streams if state.info is not None and not state.is_cut]
        is_time = all(state.was_tried for state in streams) or (is_late and there)
        return there if is_time else None

    def announced(self, feeder: bytes, message: Announce) -> StreamState | None:
        """Take in what a source says of its stream; None if nobody asked.

        One that is to take the place of another does so now.

        Raises:
            ProtocolError: It makes no sense.
        """
        state = self._by_feeder.get(feeder) or self._replacing.get(feeder)
        if state is None:
            return None
        info = info_of(message.stream)
        if feeder in self._replacing:
            self._take_over(state)
        state.error = None
        state.window = message.window
        is_new = state.info is None
        if is_new:
            self._rename(state, info.name)
        state.info = replace(info, name=state.name)
        if is_new:
            state.policy = state.choose_policy()
        return state

    def ended(self, feeder: bytes, message: Ended, now_s: float) -> StreamState | None:
        """Note the end of a source; it may be opened anew later."""
        error = error_of(message.error) if message.error is not None else None
        if (state := self._replacing.get(feeder)) is not None:
            self.give_up(state, error or GraphError("it ended before it was open"))
            return state
        state = self._by_feeder.get(feeder)
        if state is None:
            return None
        if state.report is not None:
            add_losses(state.report.run.losses, unpack_losses(message.losses))
            state.report.run.steps.add("read", message.read_s)
        state.error = error
        if state.wants_restart(failed=error is not None):
            level = logging.DEBUG if error is None else logging.WARNING
            _log.log(level, "source ended stream=%s error=%s", state.name, error)
            self._reopen_later(state, now_s, reads_on=error is not None)
        else:
            state.end = message.count + (0 if state.joint is None else state.joint.seq)
        return state

    def died(self, feeder: bytes, status: int, now_s: float) -> StreamState | None:
        """Note that the process of a source died before the stream was over."""
        if (state := self._replacing.get(feeder)) is not None:
            self.give_up(
                state, MediaError(f"the process that opens it died (exit status {status})")
            )
            return state
        state = self._by_feeder.pop(feeder, None)
        if state is None:
            return None
        self._retired.add(feeder)
        is_through = state.end is not None and state.admitted >= state.end
        if is_through or state.reopen_at_s is not None:
            return state
        state.end = None
        _log.warning("source process died stream=%s status=%s", state.name, status)
        died_too_often = state.died_too_often()
        is_final = state.is_live and not state.wants_restart(failed=True)
        if died_too_often or is_final or state.is_cut:
            state.end = state.admitted
            state.error = _death_of(state, status, is_repeated=died_too_often)
        else:
            self._reopen_later(state, now_s, reads_on=True)
        return state

    def reopen_due(self, now_s: float) -> list[StreamState]:
        """Open the sources anew whose time has come; return those that begin a new epoch."""
        anew = []
        for state in self.streams.values():
            if state.reopen_at_s is None or state.reopen_at_s > now_s:
                continue
            state.reopen_at_s = None
            if state.report is not None:
                state.report.restarts += 1
            if state.is_live or not state.reads_on:
                state.begin_epoch()
                anew.append(state)
            self._start(state)
        return anew

    def silence(self, state: StreamState) -> None:
        """Take nothing more of a stream, but leave its slots alone until it is discharged."""
        self._by_feeder.pop(state.feeder, None)
        state.reopen_at_s = None

    def discharge(self, state: StreamState) -> None:
        """Retire the feeder of a stream: it may go when its slots are back."""
        self._by_feeder.pop(state.feeder, None)
        self._retired.add(state.feeder)

    def _start(self, state: StreamState) -> None:
        if self._by_feeder.get(state.feeder) is state:
            self.discharge(state)  # it ended, but the frames that it read are under way
        options = replace(
            self._options_of(state, state.spec),
            epoch=state.epoch,
            first_seq=state.admitted,
            skip=state.admitted - state.begun,
            starts_s=state.starts_s,
        )
        state.feeder, state.joint, state.since_ns = options.identity, None, None
        self._by_feeder[state.feeder] = state
        self._children.start(state.feeder, run_feeder, options)

    def _take_over(self, state: StreamState) -> None:
        """Read a stream by way of the feeder that has opened another source for it."""
        assert state.replacement is not None  # its feeder was found
        self.discharge(state)
        state.turn_to(state.replacement)
        self._by_feeder[state.feeder] = self._replacing.pop(state.feeder)

    def _options_of(self, state: StreamState, spec: StreamSpec) -> FeederOptions:
        """Say what the next feeder must know to read a source from its beginning."""
        self._started += 1
        identity, options = f"feeder-{self._started}".encode(), self._options
        mode = None if spec.mode is None else Mode(spec.mode)
        return FeederOptions(
            address=options.address,
            identity=identity,
            source=spec.source,
            stream="" if state.info is None and not spec.name else state.name,
            mode=mode if state.info is None else state.policy.mode,
            rate=spec.rate,
            segments=self._segments(identity),
            frames=options.frames,
            window_bytes=options.window_bytes,
            outputs=options.outputs,
        )

    def _segments(self, feeder: bytes) -> str:
        return f"{self._options.segment_prefix}{feeder.decode()}-"

    def _reopen_later(self, state: StreamState, now_s: float, *, reads_on: bool) -> None:
        state.reads_on = reads_on
        state.reopen_at_s = now_s + state.next_delay_s(failed=reads_on)

    def _rename(self, state: StreamState, name: str) -> None:
        """Give a stream the name of its source, with a number if that is taken."""
        if state.spec.name or state.name == name:
            return
        del self.streams[state.name]
        free, number = name, 1
        while free in self.streams:
            number += 1
            free = f"{name}-{number}"
        state.name = free
        self.streams[free] = state


def _check_travels(spec: StreamSpec, name: str) -> None:
    try:
        pickle.dumps(spec)
    except Exception as error:
        raise PipelineError(
            f"source {name!r} cannot be sent to the process that reads it: {error}; define "
            "its class in a module, and open in frames() what cannot be pickled"
        ) from error


def _death_of(state: StreamState, status: int, *, is_repeated: bool) -> MediaError:
    """Say that the process of a source died for good, and why it is not started again."""
    often = " again and again" if is_repeated else ""
    reason = ""
    if state.is_live and not state.is_cut:
        reason = "; it is not opened again, because its restart policy is 'never'"
    return MediaError(
        f"the process that reads {state.name!r} died{often} after frame {state.admitted - 1} "
        f"(exit status {status}){reason}"
    )


def add_losses(total: Losses, more: Losses) -> None:
    """Add what was lost further."""
    total.corrupt_packets += more.corrupt_packets
    total.corrupt_frames += more.corrupt_frames
    total.truncated = total.truncated or more.truncated
    total.messages.extend(text for text in more.messages if text not in total.messages)
