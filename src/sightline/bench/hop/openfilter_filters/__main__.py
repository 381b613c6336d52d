"""Source, handler and sink as filters of openfilter.

    python openfilter_filters '{"width": 640, …}'

An environment that has openfilter runs it; it prints what the sink saw as JSON: when each frame
was sent and received, and the processor time between the first and the last. Sightline is not in
that environment, so what this needs of `sightline.bench.hop.load` comes in the argument, but for
the ring, the schedule and the clock, which are the same as there.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from typing import Any

import cv2
import numpy as np
from openfilter.filter_runtime.filter import Filter, Frame  # type: ignore[import-not-found]

TASK = json.loads(sys.argv[1])
MARKS = TASK["marks"]
IDLE_MS = TASK["idle_ms"]

# The filters are forked, and so share these with this process.
PIDS = multiprocessing.Array("q", 3)
RECORD, RECORDER = multiprocessing.Pipe(duplex=False)


class Source(Filter):  # type: ignore[misc]
    """Hands over the images of its ring in turn."""

    def setup(self, _config: Any) -> None:
        """Make the ring."""
        PIDS[0] = os.getpid()
        rng = np.random.default_rng(0)
        self.images = rng.integers(0, 256, (len(MARKS), TASK["height"], TASK["width"], 3), np.uint8)
        self.images[:, 0, 0] = self.images[:, -1, -1] = np.array(MARKS)[:, None]
        self.seq = 0
        self.start = 0.0

    def process(self, _frames: Any) -> Any:
        """Hand over the next image when it is due."""
        if self.seq == TASK["total"]:
            self.stop_evt.wait(IDLE_MS / 1000)
            return None
        self.start = self.start or time.monotonic()
        if TASK["rate"] is not None:
            time.sleep(max(0.0, self.start + self.seq / TASK["rate"] - time.monotonic()))
        image = self.images[self.seq % len(MARKS)]
        data = {"seq": self.seq, "sent_ns": time.monotonic_ns()}
        self.seq += 1
        return {"main": Frame(image, data, "BGR")}


class Handler(Filter):  # type: ignore[misc]
    """Converts to grey levels."""

    def setup(self, _config: Any) -> None:
        """Tell the process number."""
        PIDS[1] = os.getpid()

    def process(self, frames: Any) -> Any:
        """Convert one image."""
        frame = frames["main"]
        return {"main": Frame(cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY), frame.data, "GRAY")}


class Sink(Filter):  # type: ignore[misc]
    """Records what arrives intact, and ends all when the last frame is here or none comes."""

    def setup(self, _config: Any) -> None:
        """Begin with nothing."""
        PIDS[2] = os.getpid()
        self.sent_ns: list[int] = []
        self.received_ns: list[int] = []
        self.cpu_s: list[float] = []

    def process(self, frames: Any) -> None:
        """Record one frame; no frame means that none came for `IDLE_MS`."""
        received_ns = time.monotonic_ns()
        if "main" not in frames:
            self.finish()
        frame = frames["main"]
        seq, gray = frame.data["seq"], frame.image
        if seq >= TASK["warm_up"] and gray[0, 0] == gray[-1, -1] == MARKS[seq % len(MARKS)]:
            if not self.sent_ns:
                self.read_clock()
            self.sent_ns.append(frame.data["sent_ns"])
            self.received_ns.append(received_ns)
        if seq == TASK["total"] - 1:
            self.finish()

    def finish(self) -> None:
        """Hand in the record and leave; the other filters follow."""
        self.read_clock()
        cpu_s = self.cpu_s[-1] - self.cpu_s[0]
        RECORDER.send({"sent_ns": self.sent_ns, "received_ns": self.received_ns, "cpu_s": cpu_s})
        self.exit()

    def read_clock(self) -> None:
        """Note the processor time of all three so far."""
        self.cpu_s.append(sum(time.clock_gettime(~pid << 3 | 2) for pid in PIDS[:]))


def main() -> None:
    """Run the filters until the sink has handed in its record."""
    first, second = TASK["addresses"]
    runner = Filter.Runner(
        [
            (Source, {**_config("source"), "outputs": first}),
            (Handler, {**_config("handler"), "sources": first, "outputs": second}),
            (Sink, {**_config("sink"), "sources": second, "sources_timeout": IDLE_MS}),
        ],
        step_wait=0.2,
    )
    while not RECORD.poll():
        if codes := runner.step():
            raise SystemExit(f"the filters ended early, with status {codes}")
    json.dump(RECORD.recv(), sys.stdout)
    runner.stop()


def _config(name: str) -> dict[str, Any]:
    # Segments are named by the id of the filter, for the whole machine.
    return {**TASK["config"], "id": f"{name}-{os.getpid()}"}


main()
