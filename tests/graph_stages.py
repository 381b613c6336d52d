"""Sources and stages for tests of the graph; in a module, so that its processes can import them.

Every frame shows its number, so that a stage or sink can tell whether it got the right pixels.
"""

import os
import random
import signal
import time
from collections import deque
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from sightline import Detections, Losses, Scope, Stage, StreamInfo
from sightline.frame import Frame

RATE = Fraction(30)


def numbered(seq, shape=(48, 64, 3)):
    """Make an image that shows a number."""
    image = np.full(shape, seq % 251, np.uint8)
    image.reshape(-1)[:8] = np.frombuffer(seq.to_bytes(8, "little"), np.uint8)
    return image


def number_of(image):
    """Read the number that an image shows; None if its pixels do not belong together."""
    flat = np.ascontiguousarray(image).reshape(-1)
    seq = int.from_bytes(flat[:8].tobytes(), "little")
    return seq if (flat[8:] == seq % 251).all() else None


def is_first_time(flag):
    """Tell whether nobody has asked so far, in any process; the flag is a path."""
    try:
        Path(flag).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def wait_for(path):
    """Block until a file is there."""
    while not Path(path).exists():
        time.sleep(0.01)


class Numbered:
    """Frames that show their numbers; subclasses misbehave at frame `at`."""

    at = -1

    def __init__(self, name="numbers", count=100, *, shape=(48, 64, 3), live=False):
        self.shape = shape
        self.count = count
        self.info = StreamInfo(
            name=name,
            width=shape[1],
            height=shape[0],
            time_base=1 / RATE,
            frame_rate=RATE,
            frame_count=count,
            live=live,
        )
        self.losses = Losses()

    def frames(self):
        for seq in range(self.count):
            if seq == self.at:
                self.misbehave()
            yield self.frame(seq)

    def frame(self, seq):
        return Frame(
            image=numbered(seq, self.shape_of(seq)),
            seq=seq,
            pts=seq,
            time_base=self.info.time_base,
            stream=self.info.name,
        )

    def shape_of(self, seq):
        return self.shape

    def misbehave(self):
        raise NotImplementedError

    def close(self):
        pass


class Misbehaving(Numbered):
    """Misbehaves at one frame; `flag` is a path that it may need."""

    def __init__(self, at, flag=None, **settings):
        super().__init__(**settings)
        self.at = at
        self.flag = flag


class Raising(Misbehaving):
    def misbehave(self):
        raise OSError("the cable was pulled")


class RaisingOnce(Misbehaving):
    def misbehave(self):
        if is_first_time(self.flag):
            raise OSError("the cable was pulled")


class Dying(Misbehaving):
    def misbehave(self):
        os.kill(os.getpid(), signal.SIGKILL)


class DyingOnce(Misbehaving):
    def misbehave(self):
        if is_first_time(self.flag):
            os.kill(os.getpid(), signal.SIGKILL)


class Stalling(Misbehaving):
    """Blocks until the flag is there."""

    def misbehave(self):
        wait_for(self.flag)


class Babbling(Misbehaving):
    """Yields what is no frame."""

    def frames(self):
        yield from (self.frame(seq) for seq in range(self.at))
        yield b"\x00\xff"


class Fractional(Misbehaving):
    """Yields a frame whose time makes no sense."""

    def misbehave(self):
        pass

    def frame(self, seq):
        frame = super().frame(seq)
        return frame.replace(pts=seq + 0.5) if seq == self.at else frame


class Resizing(Numbered):
    """Changes the size of its frames after every few, and whether they are gray."""

    shapes = ((48, 64, 3), (96, 128, 3), (24, 32, 3), (48, 64), (96, 130), (480, 640, 3))

    def shape_of(self, seq):
        return self.shapes[seq // 10 % len(self.shapes)]


class Growing(Misbehaving):
    """Has larger frames from frame `at` on, which come when the flag is there, if there is one."""

    larger = (480, 640, 3)

    def shape_of(self, seq):
        return self.shape if seq < self.at else self.larger

    def misbehave(self):
        if self.flag is not None:
            wait_for(self.flag)


class SlowToOpen(Numbered):
    """Is sent to its process at once, but is there only when the flag is."""

    def __init__(self, flag, **settings):
        super().__init__(**settings)
        self.flag = flag

    def __setstate__(self, state):
        self.__dict__.update(state)
        wait_for(self.flag)


class DyingToOpen(Numbered):
    """Kills any process that it is sent to."""

    def __setstate__(self, state):
        os.kill(os.getpid(), signal.SIGKILL)


class FirstFrames:
    """The first frames of a recording; is opened anew in every process."""

    def __init__(self, path, count):
        from sightline import open_source

        self.path, self.count = path, count
        self.source = open_source(path)
        self.info = self.source.info

    def __reduce__(self):
        return FirstFrames, (self.path, self.count)

    @property
    def losses(self):
        return self.source.losses

    def frames(self):
        for frame, _ in zip(self.source.frames(), range(self.count), strict=False):
            yield frame

    def close(self):
        self.source.close()


class Pause(Stage):
    """Takes its time: from 0 to `most_s`, or exactly that."""

    changes_image = False

    def __init__(self, most_s, *, exact=False):
        self.most_s = most_s
        self.exact = exact

    def process(self, frame):
        time.sleep(self.most_s if self.exact else random.random() * self.most_s)
        return frame


class Wait(Stage):
    """Passes no frame before a file is there."""

    changes_image = False

    def __init__(self, flag):
        self.flag = flag

    def process(self, frame):
        wait_for(self.flag)
        return frame


class Mark(Stage):
    """Makes a file when it has a frame."""

    changes_image = False

    def __init__(self, flag):
        self.flag = flag

    def process(self, frame):
        Path(self.flag).touch()
        return frame


class Valued(Stage):
    """Puts a value that can be changed into the data."""

    changes_image = False
    changeable = frozenset({"value", "other"})

    def __init__(self, value=0):
        self.value, self.other = value, 0

    def process(self, frame):
        return frame.replace(data={**frame.data, "value": self.value, "other": self.other})


class ValuedInOrder(Valued):
    scope = Scope.STREAM


class Fussy(Valued):
    """Chokes on text once it is open, as a model that finds a name unknown only then."""

    def __init__(self, value=0):
        super().__init__(value)
        self.is_open = False

    def open(self):
        self.is_open = True

    def apply_change(self, parameters):
        if self.is_open and any(isinstance(value, str) for value in parameters.values()):
            raise KeyError("unknown")
        super().apply_change(parameters)


class FussyInOrder(Fussy):
    scope = Scope.STREAM


class Read(Stage):
    """Puts the number that a frame shows into its data."""

    changes_image = False

    def process(self, frame):
        return frame.replace(data={**frame.data, "read": number_of(frame.image)})


class Threads(Stage):
    """Puts into the data how many threads OpenCV may use; may choose itself how many."""

    changes_image = False

    def __init__(self, own=None):
        self.own = own

    def open(self):
        if self.own is not None:
            cv2.setNumThreads(self.own)

    def process(self, frame):
        return frame.replace(data={"threads": cv2.getNumThreads()})


class Renew(Stage):
    """Makes a new image that shows the same, in the memory granted for it or in its own."""

    def __init__(self, *, granted=True):
        self.granted = granted

    def process(self, frame):
        image = frame.empty_image(frame.image.shape) if self.granted else frame.image.copy()
        image[...] = frame.image
        return frame.replace(image=image)


class Refuse(Stage):
    """Drops every `drop`th frame and fails on every `fail`th."""

    changes_image = False

    def __init__(self, *, drop=7, fail=11):
        self.drop, self.fail = drop, fail

    def process(self, frame):
        if frame.seq % self.fail == self.fail - 1:
            raise ValueError(f"frame {frame.seq} is not to my taste")
        return None if frame.seq % self.drop == self.drop - 1 else frame


class Careless(Stage):
    """Slips at a frame in one of the ways that are seen at the first try only."""

    changes_image = False
    batch_size = 4

    def __init__(self, slip, at):
        self.slip, self.at = slip, at

    def process(self, frame):
        if frame.seq != self.at:
            return frame
        return getattr(self, self.slip)(frame)

    def process_batch(self, frames):
        return (self.process(frame) for frame in frames)

    def bad_name(self, frame):
        return frame.replace(detections=Detections.empty(("caf\udce9",)))

    def bad_error(self, frame):
        raise FileNotFoundError("caf\udce9.txt")

    def bad_detections(self, frame):
        return frame.replace(detections=["person"])


class Retime(Stage):
    """Replaces the time of a certain frame."""

    changes_image = False

    def __init__(self, at):
        self.at = at

    def process(self, frame):
        return frame.replace(pts=frame.pts + 1) if frame.seq == self.at else frame


class AddInPlace(Stage):
    """Puts something into the data that it gets, without making a copy, where there are any."""

    changes_image = False

    def process(self, frame):
        if frame.data:
            frame.data["added"] = frame.seq
        return frame


class FillInPlace(Stage):
    """Puts something into the data that it gets, though they are empty."""

    changes_image = False

    def process(self, frame):
        frame.data["filled"] = frame.seq
        return frame


class RetimeInOrder(Retime):
    scope = Scope.STREAM


class Named(Stage):
    """Finds one object, of class names as people give them."""

    changes_image = False

    def __init__(self, names):
        self.names = names

    def process(self, frame):
        found = Detections(xyxy=[[0, 0, 1, 1]], class_names=self.names)
        return frame.replace(detections=found)


class RefuseInOrder(Refuse):
    scope = Scope.STREAM


class Poison(Stage):
    """Kills its process whenever it gets a certain frame."""

    changes_image = False

    def __init__(self, seq):
        self.seq = seq

    def process(self, frame):
        if frame.seq == self.seq:
            os.kill(os.getpid(), signal.SIGKILL)
        return frame


class HangOnce(Stage):
    """Never returns from a certain frame, the first time that it gets it."""

    changes_image = False

    def __init__(self, seq, flag):
        self.seq, self.flag = seq, flag

    def process(self, frame):
        if frame.seq == self.seq and is_first_time(self.flag):
            time.sleep(1e6)
        return frame


class Exit(Stage):
    """Calls sys.exit on a certain frame."""

    changes_image = False

    def __init__(self, seq):
        self.seq = seq

    def process(self, frame):
        if frame.seq == self.seq:
            raise SystemExit(3)
        return frame


class ExitInOrder(Exit):
    scope = Scope.STREAM


class Wrong(Stage):
    """Returns for a certain frame what is no frame."""

    def __init__(self, seq):
        self.seq = seq

    def process(self, frame):
        return "a frame" if frame.seq == self.seq else frame


class Unpackable(Stage):
    """Puts into the data of a certain frame what cannot travel."""

    changes_image = False

    def __init__(self, seq):
        self.seq = seq

    def process(self, frame):
        return frame.replace(data={"x": object()}) if frame.seq == self.seq else frame


class UnpackableInOrder(Unpackable):
    scope = Scope.STREAM


class Misnamed(Stage):
    """Finds in a certain frame an object of a class whose name is no text."""

    changes_image = False

    def __init__(self, seq):
        self.seq = seq

    def process(self, frame):
        names = ("\ud800",) if frame.seq == self.seq else ("car",)
        box = np.array([[4, 2, 24, 18]], np.float32)
        return frame.replace(detections=Detections(xyxy=box, class_names=names))


class MisnamedInOrder(Misnamed):
    scope = Scope.STREAM


class OpensWhen(Stage):
    """Is open when a file is there, as a model that takes long to load."""

    changes_image = False

    def __init__(self, flag):
        self.flag = flag

    def open(self):
        wait_for(self.flag)

    def process(self, frame):
        return frame


class OpensWhenInOrder(OpensWhen):
    scope = Scope.STREAM


class OpensBadly(Stage):
    """Fails, or hangs, at some of the times that it is opened, counted over all processes."""

    changes_image = False

    def __init__(self, folder, bad, *, hangs=False):
        self.folder, self.bad, self.hangs = str(folder), bad, hangs

    def open(self):
        number = 0
        while not is_first_time(Path(self.folder, str(number))):
            number += 1
        if number in self.bad:
            if self.hangs:
                time.sleep(600)
            raise OSError("no memory for the model")

    def process(self, frame):
        return frame


class CannotOpen(Stage):
    changes_image = False

    def open(self):
        raise RuntimeError("the model is broken")

    def process(self, frame):
        return frame


class Closing(Stage):
    """Notes the number of frames when it is closed, after a while; then does what is asked."""

    changes_image = False

    def __init__(self, folder, *, takes_s=0.0, then=""):
        self.folder, self.takes_s, self.then = str(folder), takes_s, then

    def open(self):
        self.count = 0

    def process(self, frame):
        self.count += 1
        return frame

    def close(self):
        Path(self.folder, f"{os.getpid()}.closing").touch()
        time.sleep(self.takes_s)
        Path(self.folder, f"{os.getpid()}.count").write_text(str(self.count))
        match self.then:
            case "raise":
                raise OSError("no room for the last results")
            case "die":
                os._exit(3)


class Lingering(Numbered):
    """Takes its time to close."""

    def __init__(self, name, flag, *, takes_s):
        super().__init__(name, 30)
        self.flag, self.takes_s = str(flag), takes_s

    def close(self):
        time.sleep(self.takes_s)
        Path(self.flag).touch()


class Count(Stage):
    """Counts the frames since it was opened."""

    scope = Scope.STREAM
    changes_image = False

    def open(self):
        self.count = 0

    def process(self, frame):
        self.count += 1
        return frame.replace(data={**frame.data, "count": self.count})


class Previous(Stage):
    """Keeps the image before, and tells what it shows by now."""

    scope = Scope.STREAM
    changes_image = False

    def open(self):
        self.image = None

    def process(self, frame):
        before = None if self.image is None else number_of(self.image)
        self.image = frame.image
        return frame.replace(data={**frame.data, "previous": before})


class Keep(Stage):
    """Keeps the image of a certain frame, and tells what it shows by now."""

    scope = Scope.STREAM
    changes_image = False

    def __init__(self, seq):
        self.seq = seq

    def open(self):
        self.image = None

    def process(self, frame):
        if frame.seq == self.seq:
            self.image = frame.image
        shown = None if self.image is None else number_of(self.image)
        return frame.replace(data={**frame.data, "kept": shown})


class Hoard(Stage):
    """Keeps images from frame `start` on, and tells which of them have changed since."""

    changes_image = False

    def __init__(self, start=0, *, keep=30):
        self.start, self.keep = start, keep

    def open(self):
        self.kept = deque(maxlen=self.keep)

    def process(self, frame):
        changed = [seq for seq, image in self.kept if number_of(image) != seq]
        if frame.seq >= self.start:
            self.kept.append((frame.seq, frame.image))
        return frame.replace(data={**frame.data, "changed": changed})


class Batches(Stage):
    """Notes how many frames came at once; a batch with frame `bad` fails, and then that frame."""

    batch_size = 4
    changes_image = False

    def __init__(self, bad=-1):
        self.bad = bad

    def process(self, frame):
        if frame.seq == self.bad:
            raise ValueError("this one is bad")
        return frame.replace(data={"batch": 1, "read": number_of(frame.image)})

    def process_batch(self, frames):
        time.sleep(0.005)
        return [
            frame.replace(data={**self.process(frame).data, "batch": len(frames)})
            for frame in frames
        ]


class Boxes(Stage):
    """Finds as many objects as the number of the frame modulo 5 says, each of its own place."""

    changes_image = False

    def process(self, frame):
        boxes = [[4 * n, 2 * n, 4 * n + 20, 2 * n + 16] for n in range(frame.seq % 5)]
        return frame.replace(detections=Detections(xyxy=np.array(boxes, np.float32).reshape(-1, 4)))


class Crowd(Stage):
    """Finds 20 objects."""

    changes_image = False

    def process(self, frame):
        boxes = [[2 * n, n, 2 * n + 20, n + 16] for n in range(20)]
        return frame.replace(detections=Detections(xyxy=np.array(boxes, np.float32)))


class Box(Stage):
    """Finds one object."""

    changes_image = False

    def process(self, frame):
        return frame.replace(detections=Detections(xyxy=np.array([[4, 2, 24, 18]], np.float32)))


class Measure(Stage):
    """Measures one object; drops, fails on and dies of certain ones, told by frame and left edge.

    A crop does not know its row; with `Boxes`, its width tells nothing either, so that the place
    is put into the sum of its pixels.
    """

    changes_image = False

    def __init__(self, *, drop=None, fail=None, pause_s=0.0):
        self.drop, self.fail, self.pause_s = drop, fail, pause_s

    def process(self, frame):
        time.sleep(self.pause_s)
        if frame.seq == self.drop and int(frame.image[0, 0, 0]) == frame.seq % 251:
            return None
        if frame.seq == self.fail:
            raise ValueError("this object is odd")
        return frame.replace(
            data={"sum": int(frame.image.sum()), "size": list(frame.image.shape[:2])}
        )


class Flip(Stage):
    """Turns the image upside down, as a view of memory that was granted."""

    def process(self, frame):
        image = frame.empty_image(frame.image.shape)
        image[...] = frame.image
        return frame.replace(image=image[::-1])


class Crop(Stage):
    """Cuts the upper and lower edge off."""

    def process(self, frame):
        return frame.replace(image=frame.image[8:40])
