"""What workers of tests are given; in a module, so that their processes can import it."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from sightline import Stage

RATE = 25


def number_of(frame):
    """Count the frames before this one in the videos of `job_service`."""
    return round(frame.time_s * RATE)


def no_workplace():
    raise RuntimeError("there is no place to work")


def workplace_that_hangs_once(flag, open_workplace):
    """Hang in the first worker that asks; it makes the file `flag`."""
    with suppress(FileExistsError):
        flag.touch(exist_ok=False)
        time.sleep(1000)
    return open_workplace()


class Misbehaving(Stage):
    """Does something at one frame: the `at`th, or at every frame from there until a file is there.

    Args:
        at: Number of the frame.
        flag: With a path, misbehave only while this file is not there, and make it.
    """

    changes_image = False

    def __init__(self, at, flag=None):
        self.at = at
        self.flag = flag

    def process(self, frame):
        if number_of(frame) == self.at and not (self.flag and Path(self.flag).exists()):
            if self.flag:
                Path(self.flag).touch()
            self.misbehave()
        return frame

    def misbehave(self):
        raise NotImplementedError


class Raises(Misbehaving):
    def misbehave(self):
        raise RuntimeError("I cannot do this one")


class Kills(Misbehaving):
    def misbehave(self):
        os.kill(os.getpid(), signal.SIGKILL)


class Hangs(Misbehaving):
    def misbehave(self):
        time.sleep(1000)


class IsRefusedMemory(Misbehaving):
    def misbehave(self):
        raise MemoryError


class TakesMemory(Misbehaving):
    """Takes more memory than workers may have, and uses it."""

    def misbehave(self):
        taken = []
        while len(taken) < 256:
            taken.append(np.ones(2**24, np.uint8))
        raise AssertionError("nobody has stopped it at 4 GiB")


class WaitsFor(Stage):
    """Waits at every frame from the `at`th until a file is there.

    Args:
        gate: The file; `gate`.reached is made by the first frame that waits.
        at: Number of the first frame that may wait.
    """

    changes_image = False

    def __init__(self, gate, at=0):
        self.gate = Path(gate)
        self.at = at

    def process(self, frame):
        if number_of(frame) >= self.at and not self.gate.exists():
            self.gate.with_suffix(".reached").touch()
            while not self.gate.exists():
                time.sleep(0.01)
        return frame


class Slow(Stage):
    """Takes its time for every frame from the `at`th."""

    changes_image = False

    def __init__(self, at, each_s):
        self.at = at
        self.each_s = each_s

    def process(self, frame):
        if number_of(frame) >= self.at:
            time.sleep(self.each_s)
        return frame


class Notes(Stage):
    """Appends a line per frame to a file: its number and the process."""

    changes_image = False

    def __init__(self, path):
        self.path = Path(path)

    def process(self, frame):
        with self.path.open("a") as file:
            file.write(f"{number_of(frame)} {os.getpid()}\n")
        return frame
