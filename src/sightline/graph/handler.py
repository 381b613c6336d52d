"""A handler process of a graph on this machine: takes work from the hub, piece after piece."""

from __future__ import annotations

import os
import pickle
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import cv2

from sightline.errors import GraphError
from sightline.graph.telling import told_of
from sightline.graph.workbench import Workbench
from sightline.transport.host import die_with_parent, host_id
from sightline.transport.local_link import connect_local
from sightline.transport.messages import (
    Change,
    Hello,
    Ready,
    Stop,
    Welcome,
    Work,
    decode,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.graph.plan import Step
    from sightline.transport.link import Buffer, Link

    _Item = tuple[Work, Buffer | None]

__all__ = ["HandlerOptions", "run_handler"]

_WAIT_S = 1.0
_UNTOLD_S = 0.0005
"""How long a result may wait for others, for the hub to be woken once for all."""
_LARGE_PIXELS = 1_000_000
"""Smaller images are done before another thread has woken, which then turns in vain for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerOptions:
    """What a handler process must know.

    Attributes:
        address: Where the hub listens.
        identity: What the hub calls this handler.
        steps: The plan of the pipeline, pickled by the parent process.
        threads: How many threads OpenCV may use for large images; handlers share the processors.
    """

    address: str
    identity: bytes
    steps: bytes
    threads: int = 1


def run_handler(options: HandlerOptions) -> None:
    """Work until told to stop; the main function of a handler process."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    cv2.setNumThreads(1)
    link = connect_local(options.address, identity=options.identity)
    try:
        steps: list[Step] = pickle.loads(options.steps)  # noqa: S301 - from our own parent
        with Workbench(steps) as bench:
            link.send(
                [
                    encode(
                        Hello(
                            role="handler",
                            host=host_id(),
                            pid=os.getpid(),
                            changes_image=bench.changes_image,
                            batch=bench.batch_size,
                        )
                    )
                ]
            )
            link.send([encode(Ready())])
            _work(link, bench, options.threads)
    except Exception as error:  # noqa: BLE001 - process boundary: told to the hub
        link.send([encode(told_of(error))])
        link.wait(_WAIT_S)  # for the hub to read it and to say Stop
    finally:
        link.close()


class _Stopped(Exception):  # noqa: N818 - not an error
    """The hub told the handler to stop."""


def _work(link: Link, bench: Workbench, threads: int) -> None:
    """Process what comes until `Stop`."""
    with suppress(_Stopped):
        while True:
            works = _take(link, bench)
            if not works:
                link.wait(_WAIT_S)
            elif threads > 1 and any(map(_is_large, works)):
                if cv2.getNumThreads() == 1:  # no stage has chosen otherwise
                    cv2.setNumThreads(threads)
                threads = 1
            results: list[list[Buffer]] = []
            untold_s = time.monotonic()
            for batch in _batches(works, bench.batch_size):
                for done in bench.process(batch):
                    parts: list[Buffer] = [encode(done.result)]
                    results.append(parts if done.payload is None else [*parts, done.payload])
                if (now_s := time.monotonic()) - untold_s > _UNTOLD_S:
                    link.send_all(results)
                    results, untold_s = [], now_s
            link.send_all(results)


def _is_large(item: _Item) -> bool:
    height, width, *_ = item[0].pixels.shape
    return height * width >= _LARGE_PIXELS


def _batches(works: list[_Item], size: int) -> Iterator[list[_Item]]:
    """Cut work into pieces of one step and of at most this size."""
    for _, group in groupby(works, key=lambda item: item[0].step):
        items = list(group)
        for start in range(0, len(items), size):
            yield items[start : start + size]


def _take(link: Link, bench: Workbench) -> list[_Item]:
    """Take all that has come.

    Raises:
        _Stopped: The hub says stop.
    """
    works: list[_Item] = []
    while (received := link.receive()) is not None:
        parts = received.parts
        match decode(parts[0]):
            case Work() as work:
                works.append((work, parts[1] if len(parts) > 1 else None))
            case Change() as change:
                if not bench.change(change.stage, change.parameters):
                    link.send([encode(change)])
            case Stop():
                raise _Stopped
            case Welcome():
                pass
            case other:
                raise GraphError(f"a handler got {type(other).__name__}")
    return works
