"""What shared memory can give at best: a ring of slots, with notices over ZeroMQ.

One segment holds a ring of images and one of results; slot `seq % SLOTS` belongs to a frame. The
source writes into it, the handler converts from ring to ring, the sink looks. What travels is a
notice of 16 bytes; the sink's notice to the source that a slot is free is empty. There are no
guarantees: a process that dies stops everything, nobody checks that a slot still holds the frame
that a notice names, and there is one stream, one handler and one size.
"""

from __future__ import annotations

import os
import secrets
import struct
import tempfile
import time
from functools import partial
from multiprocessing.shared_memory import SharedMemory
from typing import TYPE_CHECKING

import cv2
import numpy as np
import zmq

from sightline.bench.hop.load import Tally, departures, make_images
from sightline.bench.hop.processes import IDLE_MS, SINK, make_context, run_processes

if TYPE_CHECKING:
    from sightline.bench.hop.load import HopLoad, HopResult
    from sightline.bench.hop.processes import Seat

__all__ = ["SLOTS", "bare_ring"]

SLOTS = 4
_NOTICE = struct.Struct("<qq")  # seq, sent_ns


def bare_ring(load: HopLoad) -> HopResult:
    """Send images through shared memory.

    Raises:
        GraphError: A process failed.
    """
    segment_bytes = SLOTS * (load.image_bytes + load.width * load.height)
    name = f"sightline-hop-{os.getpid()}-{secrets.token_hex(4)}"
    segment = SharedMemory(name, create=True, size=segment_bytes)
    try:
        with tempfile.TemporaryDirectory(prefix="sightline-hop-") as folder:
            roles = {
                who: partial(role, segment=name, address=f"ipc://{folder}/{who}")
                for who, role in (("source", _source), ("handler", _handler), (SINK, _sink))
            }
            return run_processes(load, roles).summarise()
    finally:
        segment.close()
        segment.unlink()


class _Rings:
    """The images and the results in the segment, one row per slot."""

    def __init__(self, segment: str, load: HopLoad) -> None:
        self._segment = SharedMemory(segment)
        shape = (SLOTS, load.height, load.width)
        self.images = np.ndarray((*shape, 3), np.uint8, self._segment.buf)
        self.results = np.ndarray(shape, np.uint8, self._segment.buf, offset=self.images.nbytes)

    def close(self) -> None:
        """Detach; the arrays are gone then."""
        del self.images, self.results
        self._segment.close()


def _source(load: HopLoad, seat: Seat, *, segment: str, address: str) -> None:
    images = make_images(load)
    rings = _Rings(segment, load)
    with (
        make_context(queued=SLOTS) as context,
        context.socket(zmq.PULL) as free,
        context.socket(zmq.PUSH) as push,
    ):
        free.bind(address)
        push.connect(seat.meet(address).addresses["handler"])
        for seq in departures(load):
            image = images[seq % len(images)]
            sent_ns = time.monotonic_ns()
            if seq >= SLOTS:
                free.recv()
            rings.images[seq % SLOTS] = image
            push.send(_NOTICE.pack(seq, sent_ns))
        seat.stay()
    rings.close()


def _handler(load: HopLoad, seat: Seat, *, segment: str, address: str) -> None:
    rings = _Rings(segment, load)
    with (
        make_context(queued=SLOTS) as context,
        context.socket(zmq.PULL) as pull,
        context.socket(zmq.PUSH) as push,
    ):
        pull.bind(address)
        push.connect(seat.meet(address).addresses[SINK])
        for _ in range(load.total):
            notice = pull.recv()
            slot = _NOTICE.unpack(notice)[0] % SLOTS
            cv2.cvtColor(rings.images[slot], cv2.COLOR_BGR2GRAY, dst=rings.results[slot])
            push.send(notice)
        seat.stay()
    rings.close()


def _sink(load: HopLoad, seat: Seat, *, segment: str, address: str) -> None:
    rings = _Rings(segment, load)
    with (
        make_context(queued=SLOTS) as context,
        context.socket(zmq.PULL) as pull,
        context.socket(zmq.PUSH) as free,
    ):
        pull.bind(address)
        peers = seat.meet(address)
        free.connect(peers.addresses["source"])
        free.linger = 0  # at the end there is nobody left to tell
        tally = Tally(load, peers.pids)
        while not tally.complete and pull.poll(IDLE_MS):
            seq, sent_ns = _NOTICE.unpack(pull.recv())
            tally.count(seq, sent_ns, rings.results[seq % SLOTS])
            free.send(b"")
        seat.report(tally.samples())
    rings.close()
