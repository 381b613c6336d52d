"""The usual way: PUSH and PULL over TCP on one machine, with pickled NumPy images."""

from __future__ import annotations

import pickle
import time
from typing import TYPE_CHECKING

import cv2
import zmq

from sightline.bench.hop.load import Tally, departures, make_images
from sightline.bench.hop.processes import IDLE_MS, SINK, make_context, run_processes

if TYPE_CHECKING:
    from sightline.bench.hop.load import HopLoad, HopResult
    from sightline.bench.hop.processes import Seat

__all__ = ["pickle_push_pull"]

_ANY_PORT = "tcp://127.0.0.1:*"
_QUEUED = 2
"""Messages that a socket may queue: enough to keep all busy; more would only add delay."""


def pickle_push_pull(load: HopLoad) -> HopResult:
    """Send images by `send_pyobj` to a handler, and its results on to a sink.

    Raises:
        GraphError: A process failed.
    """
    roles = {"source": _source, "handler": _handler, SINK: _sink}
    return run_processes(load, roles).summarise()


def _source(load: HopLoad, seat: Seat) -> None:
    images = make_images(load)
    with make_context(queued=_QUEUED) as context, context.socket(zmq.PUSH) as push:
        push.connect(seat.meet().addresses["handler"])
        for seq in departures(load):
            image = images[seq % len(images)]
            message = (seq, time.monotonic_ns(), image)
            push.send_pyobj(message, protocol=pickle.HIGHEST_PROTOCOL)
        seat.stay()


def _handler(load: HopLoad, seat: Seat) -> None:
    with (
        make_context(queued=_QUEUED) as context,
        context.socket(zmq.PULL) as pull,
        context.socket(zmq.PUSH) as push,
    ):
        pull.bind(_ANY_PORT)
        push.connect(seat.meet(pull.get_string(zmq.LAST_ENDPOINT)).addresses[SINK])
        for _ in range(load.total):
            seq, sent_ns, image = pull.recv_pyobj()
            gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
            push.send_pyobj((seq, sent_ns, gray), protocol=pickle.HIGHEST_PROTOCOL)
        seat.stay()


def _sink(load: HopLoad, seat: Seat) -> None:
    with make_context(queued=_QUEUED) as context, context.socket(zmq.PULL) as pull:
        pull.bind(_ANY_PORT)
        tally = Tally(load, seat.meet(pull.get_string(zmq.LAST_ENDPOINT)).pids)
        while not tally.complete and pull.poll(IDLE_MS):
            tally.count(*pull.recv_pyobj())
        seat.report(tally.samples())
