"""A sink that raises, for tests of what becomes of the others and of the run."""

from sightline.testing.sink import ListSink


class Raising(ListSink):
    """Raises at one moment: when it is opened, closed, discarded, or gets the frame of a number."""

    def __init__(self, moment, raised):
        super().__init__()
        self.moment, self.raised = moment, raised

    def open(self, stream):
        self.meet("open")
        super().open(stream)

    def write(self, frame):
        self.meet(frame.seq)
        super().write(frame)

    def close(self):
        super().close()
        self.meet("close")

    def discard(self):
        super().discard()
        self.meet("discard")

    def meet(self, moment):
        if moment == self.moment:
            raise self.raised
