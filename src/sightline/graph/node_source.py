"""A source node: reads one source and gives its frames to the handlers that connect to it.

The reading is a feeder's, in a thread of this process; what becomes of frames is in the ledger.
This module sends and receives, and goes from waiting for handlers to the end.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from sightline.errors import GraphError, LinkError, ProtocolError
from sightline.graph.feeder import Feeder, FeederOptions, frames_held
from sightline.graph.modes import Mode, StreamPolicy
from sightline.graph.node_ledger import Ledger
from sightline.graph.node_meter import Meter, Silence
from sightline.graph.node_peers import Peers
from sightline.graph.telling import error_of
from sightline.media.opening import open_source
from sightline.settings import Settings
from sightline.transport.frames import unpack_losses
from sightline.transport.host import host_id
from sightline.transport.messages import (
    Admit,
    Announce,
    Beat,
    Done,
    Ended,
    Hello,
    Message,
    NodeError,
    Pixels,
    Ready,
    Result,
    Stop,
    Welcome,
    Work,
    decode,
    encode,
)
from sightline.transport.run_directory import RunDirectory, default_base
from sightline.transport.segment import check_room, free_bytes
from sightline.transport.slot_reader import SlotReader
from sightline.transport.zmq_link import connect, listen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sightline.graph.node_ledger import Entry
    from sightline.graph.node_peers import Peer
    from sightline.media.source import Source
    from sightline.pipeline.stream_spec import StreamSpec
    from sightline.stream import Losses
    from sightline.transport.link import Buffer

__all__ = ["SourceNode", "SourceNodeOptions"]

_log = logging.getLogger(__name__)

_FEEDER = b"feeder"
_BURST = 64
_TICK_S = 0.1
_FRAMES = 32
"""How many frames may be under way, if there are not so many handlers that they want more."""
_WINDOW_BYTES = 256 * 2**20
_FINISH_S = 0.5
"""How long frames that handlers have may take to be finished when the node is stopped."""
_LEAVE_S = 1.0
"""When the node leaves after it was stopped, or is through, whatever others say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceNodeOptions:
    """How a source node works.

    Attributes:
        bind: Where handlers connect to, such as tcp://*:5557.
        window_bytes: Bound on the shared memory for frames under way; None: 256 MiB, or half of
            what is free if that is less.
        wait_handlers: How many handlers to wait for before the first frame is read.
        host: What to take for the id of this machine.
        settings: Where the run is kept.
    """

    bind: str
    window_bytes: int | None = None
    wait_handlers: int = 1
    host: str = field(default_factory=host_id)
    settings: Settings = field(default_factory=lambda: Settings.from_environment(os.environ))


class SourceNode:
    """Reads one source; `run()` it once, in the main thread.

    Args:
        spec: What to read, and how.
        options: How the node works.
        tell: Takes lines for people.

    Attributes:
        losses: What the source could not deliver; complete at the end.
        address: Where it listens.

    Raises:
        MediaError: The source cannot be opened.
        LinkError: One cannot listen at the address.
        GraphError: The window holds no frame.
        SharedMemoryError: There is not enough shared memory for the window.
    """

    def __init__(
        self, spec: StreamSpec, options: SourceNodeOptions, *, tell: Callable[[str], None]
    ) -> None:
        self.losses: Losses | None = None
        self._spec = spec
        self._options = options
        self._tell = tell
        self._source: Source = open_source(spec.source)
        info = self._source.info
        self._stream = spec.name or info.name
        usual = Mode.AUTO if info.live else Mode.EVERY_FRAME
        self._mode = usual if spec.mode is None else Mode(spec.mode)
        policy = StreamPolicy(mode=self._mode, staleness_s=spec.staleness_s)
        self._ledger = Ledger(self._stream, policy, on_settled=self._settled)
        self._meter, self._silence = Meter("from capture to done"), Silence()
        self._peers = Peers(options.host)
        self._reader = SlotReader()
        self._asked: set[bytes] = set()
        self._refused: set[bytes] = set()
        self._epoch = time.time_ns() // 1_000_000
        self._announce: Announce | None = None
        self._ended: Ended | None = None
        self._told_end_s: float | None = None
        self._told_left_out = 0
        self._unconfirmed: set[bytes] = set()
        self._is_taken = False
        self._is_confirmed = False
        self._is_over = False
        self._feeder: threading.Thread | None = None
        self._feeder_error: Exception | None = None
        self._stopped_s: float | None = None
        inproc = f"inproc://sightline-source-{id(self):x}"
        try:
            self._check_window(3 * info.width * info.height)
            self._link = listen(options.bind, inproc)
        except GraphError:
            self._source.close()
            raise
        self.address, self._inproc = self._link.addresses

    def _check_window(self, frame_bytes: int) -> None:
        """Make sure of memory before handlers are waited for, whatever these will want.

        Raises:
            GraphError: The window holds no frame, or there is not enough memory for it.
        """
        window_bytes = self._options.window_bytes
        if window_bytes is None:  # it will be half of what is free
            check_room(2, frame_bytes)
        else:
            held = frames_held(window_bytes, frame_bytes, self._stream)
            check_room(min(_FRAMES, held), frame_bytes)

    def run(self, stop: threading.Event) -> None:
        """Work until the source is over and all of its frames are done, or until stopped.

        Raises:
            MediaError: The source failed; its frames up to there are done.
            SharedMemoryError: There is not enough of it.
        """
        wanted = self._options.wait_handlers
        self._tell(
            f"{self._stream}: waiting for {wanted} handler{'s' * (wanted > 1)} at {self.address}"
        )
        with ExitStack() as stack:
            stack.callback(self._close_source)
            stack.callback(self._link.close)
            stack.callback(self._peers.close)
            stack.callback(self._reader.close)
            directory = RunDirectory.create(default_base(self._options.settings))
            stack.callback(directory.close)
            stack.callback(self._end_feeder)
            while not self._is_over:
                self._turn()
                self._go_on(directory)
                if stop.is_set():
                    self._stop()
            self._tell_left_out()
        if self._ended is not None and self._ended.error is not None and self._stopped_s is None:
            raise error_of(self._ended.error)

    # Messages

    def _turn(self) -> None:
        """Wait for something to do, and do it."""
        readable = self._link.wait(_TICK_S, *self._peers.fds)
        now_s = time.monotonic()
        for _ in range(_BURST):
            received = self._link.receive()
            if received is None:
                break
            sender, parts = received
            if sender in self._refused:
                continue
            try:
                message = decode(parts[0])
            except ProtocolError as error:
                self._refuse(sender, error)
                continue
            if sender == _FEEDER:
                self._from_feeder(message)
            else:
                self._from_handler(sender, message, now_s)
        for identity in self._peers.dead(readable, now_s):
            _log.warning("handler died identity=%s", identity.decode(errors="replace"))
            self._left(identity, is_dead=True)
        self._give()

    def _from_feeder(self, message: Message) -> None:
        match message:
            case Announce():
                self._announce = msgspec.structs.replace(message, host=self._options.host)
                self._ledger.window = message.window
                for peer in self._peers.ready:
                    self._send(peer.identity, self._announce)
            case Admit() if self._stopped_s is None:
                self._ledger.admit(message)
            case Ended() if self._stopped_s is None:
                self._ended = msgspec.structs.replace(message, count=self._ledger.admitted)
                self.losses = unpack_losses(message.losses)

    def _from_handler(self, sender: bytes, message: Message, now_s: float) -> None:
        if isinstance(message, Hello):
            if self._peers.find(sender, now_s) is not None:
                # It has connected anew; what was under way on the earlier connection may be lost.
                self._left(sender, is_dead=False)
            self._peers.greet(sender, message, now_s)
            self._asked.discard(sender)
            self._send(sender, Welcome(self._options.host, os.getpid(), "source"))
            return
        peer = self._peers.find(sender, now_s)
        if isinstance(message, Done):
            self._done(sender, message)
        elif peer is not None:
            self._from_peer(peer, message)
        elif sender not in self._asked:
            self._asked.add(sender)
            self._send(sender, Welcome(self._options.host, os.getpid(), "source"))

    def _from_peer(self, peer: Peer, message: Message) -> None:
        match message:
            case Ready(epochs=epochs) if not peer.is_ready:
                peer.is_ready = True
                self._begin_after(epochs)
                self._ready(peer.identity, batch=peer.hello.batch)
            case Result():
                self._ledger.answered(peer.identity, message)
            case Beat():
                self._send(peer.identity, message)
            case Stop():
                self._left(peer.identity, is_dead=False)
            case NodeError():
                raise error_of(message)

    def _begin_after(self, epochs: Sequence[tuple[str, int]]) -> None:
        """See to it that the epoch is a later one than the collector has had of this stream."""
        latest = dict(epochs).get(self._stream, -1)
        if self._feeder is None and self._epoch <= latest:
            self._tell(
                f"{self._stream}: the clock of this machine is {(latest - self._epoch) / 1000:.1f} "
                "s behind that of the source before it; the stream goes on after that one"
            )
            self._epoch = latest + 1

    def _refuse(self, sender: bytes, error: ProtocolError) -> None:
        """Take nothing more from a peer that talks nonsense, and let it know."""
        self._tell(f"{self._stream}: messages of {sender!r} are ignored: {error}")
        self._refused.add(sender)
        self._send(sender, NodeError(kind="ProtocolError", message=str(error)))

    def _ready(self, handler: bytes, *, batch: int) -> None:
        self._tell(f"{self._stream}: a handler joined; there are {len(self._peers.ready)}")
        self._tell_left_out()
        for message in (self._announce, None if self._told_end_s is None else self._ended):
            if message is not None:
                self._send(handler, message)
        self._ledger.join(handler, batch=batch)

    def _tell_left_out(self) -> None:
        """Say how many frames were left out, apart from those that were said before."""
        frames = self._ledger.left_out - self._told_left_out
        self._told_left_out += frames
        if frames:
            self._tell(f"{self._stream}: {frames} frames were left out while nobody took them")

    def _left(self, handler: bytes, *, is_dead: bool) -> None:
        self._peers.forget(handler)
        self._ledger.leave(handler, is_dead=is_dead)
        self._tell(f"{self._stream}: a handler left; there are {len(self._peers.ready)}")

    def _send(self, to: bytes, message: Message, payload: Buffer | None = None) -> None:
        """Send to a peer; one that is gone will be found dead in a moment."""
        parts: list[Buffer] = [encode(message)]
        with suppress(LinkError):
            self._link.send(parts if payload is None else [*parts, payload], to=to)

    def _give(self) -> None:
        """Send out work, outcomes of which the collector is to be told, and free slots."""
        near = {peer.identity: peer.is_near for peer in self._peers.ready}
        works = [] if self._stopped_s is not None else self._ledger.assign(time.monotonic_ns())
        for entry in works:
            self._send_work(entry, is_near=near[entry.holder])
        if self._ledger.relays and near:
            teller = next(iter(near))
            for result in self._ledger.relayed(teller):
                self._send(teller, result)
        release = self._ledger.take_release()
        if release is not None:
            self._send(_FEEDER, release)

    def _send_work(self, entry: Entry, *, is_near: bool) -> None:
        pixels = entry.pixels
        assert pixels is not None  # what was dropped is not given out
        if is_near:
            self._send(entry.holder, Work(entry.about, pixels, output=entry.output))
            return
        image = self._reader.borrow(pixels).image
        away = Pixels(pixels.shape)
        self._send(entry.holder, Work(entry.about, away, origin=pixels), image)

    def _done(self, sender: bytes, message: Done) -> None:
        self._check_taken(message)
        self._ledger.done(message.keys, message.kept)
        ended = self._ended
        if ended is None or self._told_end_s is None:
            return
        if (self._stream, self._epoch, ended.count) in message.keys:
            self._is_confirmed = True
            self._unconfirmed.discard(sender)

    def _check_taken(self, message: Done) -> None:
        """Take note of whether the collector takes frames of this source.

        Raises:
            GraphError: It takes none. One that took the place of this source later is no error.
        """
        for stream, epoch, latest in message.refused:
            if (stream, epoch) == (self._stream, self._epoch) and not self._is_taken:
                raise GraphError(
                    f"the collector has had a source of the name {stream!r} that began "
                    f"{(latest - epoch) / 1000:.1f} s after this one, by the clocks of their "
                    "machines; set the clock right, or choose another name with --name"
                )
        self._is_taken = self._is_taken or bool(message.keys)

    def _tell_end(self, ended: Ended) -> None:
        """Tell every handler that it is the end, also those that were about to join."""
        self._told_end_s = time.monotonic()
        for peer in self._peers:
            self._unconfirmed.add(peer.identity)
            if not peer.is_ready and self._announce is not None:
                self._send(peer.identity, self._announce)
            self._send(peer.identity, ended)

    def _is_end(self) -> bool:
        """Whether the collector has all, and every handler knows it, if that does not take long."""
        if self._ended is not None and self._announce is None:
            return True  # it could not be opened
        if not self._is_confirmed or self._told_end_s is None:
            return False
        left = self._unconfirmed.intersection(peer.identity for peer in self._peers)
        return not left or time.monotonic() > self._told_end_s + _LEAVE_S

    def _settled(self, entry: Entry) -> None:
        self._silence.end()
        if entry.tombstone is None:
            self._meter.add((time.monotonic_ns() - entry.captured_ns) * 1e-9)

    # From the beginning to the end

    def _go_on(self, directory: RunDirectory) -> None:
        """Begin when enough handlers are there; say that it is the end when all is done."""
        ready = len(self._peers.ready)
        if self._feeder is None:
            if ready >= self._options.wait_handlers:
                self._begin(directory)
        elif not self._feeder.is_alive() and self._ended is None and self._stopped_s is None:
            raise GraphError(
                f"the reading of {self._stream!r} ended without a word: {self._feeder_error}"
            ) from self._feeder_error
        if self._ended is not None and self._told_end_s is None and not self._ledger:
            self._tell_end(self._ended)
        self._is_over = self._is_over or self._is_end()
        waits = bool(self._ledger) or self._told_end_s is not None
        quiet = self._silence.line(time.monotonic(), waits=waits, handlers=ready)
        line = self._meter.line(is_last=self._is_over) or quiet
        if line is not None:
            self._tell(f"{self._stream}: {line}; {ready} handler{'s' * (ready != 1)}")

    def _begin(self, directory: RunDirectory) -> None:
        source: object = self._source
        if self._source.info.live:
            # Frames that nobody fetched while handlers were waited for would come first.
            self._source.close()
            source = self._spec.source
        window_bytes = self._options.window_bytes
        hellos = [(peer.hello, peer.is_near) for peer in self._peers.ready]
        options = FeederOptions(
            address=self._inproc,
            identity=_FEEDER,
            source=source,
            stream=self._stream,
            epoch=self._epoch,
            mode=self._mode,
            rate=self._spec.rate,
            segments=directory.segment_prefix,
            frames=max(_FRAMES, 4 + 2 * sum(hello.batch for hello, _ in hellos)),
            window_bytes=window_bytes or min(_WINDOW_BYTES, free_bytes() // 2),
            outputs=any(is_near and hello.changes_image for hello, is_near in hellos),
        )
        self._feeder = threading.Thread(
            target=self._feed, args=(options,), name="sightline-feeder", daemon=True
        )
        self._feeder.start()

    def _feed(self, options: FeederOptions) -> None:
        """Feed the frames of the source; the main function of the feeder's thread."""
        link = connect(options.address, identity=options.identity)
        try:
            Feeder(link, options).run()
        except Exception as error:  # noqa: BLE001 - thread boundary: raised in the main thread
            self._feeder_error = error
        finally:
            link.close()

    def _stop(self) -> None:
        """Begin to stop, give up what takes too long, or leave."""
        now_s = time.monotonic()
        if self._stopped_s is None:
            self._stopped_s = now_s
            error = NodeError(kind="GraphError", message="the source was stopped")
            count = self._ledger.admitted
            self._ended = Ended(self._stream, self._epoch, count, error=error)
            self._ledger.cut("stopped")
        elif now_s > self._stopped_s + _FINISH_S:
            self._ledger.abandon("source: stopped")
        nobody = self._announce is None or not self._peers.ready
        if nobody or now_s > self._stopped_s + _LEAVE_S:
            self._is_over = True

    def _close_source(self) -> None:
        """Close the source, unless it is the feeder's, which may be stuck in it."""
        if self._feeder is None:
            self._source.close()

    def _end_feeder(self) -> None:
        if self._feeder is not None:
            self._send(_FEEDER, Stop())
            self._feeder.join(_TICK_S)
