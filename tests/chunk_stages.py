"""Stages for tests of chunks, which pipeline definitions find by name."""

from sightline.pipeline.stage import Stage


class Picky(Stage):
    """Fails on every frame whose timestamp it is given, and drops every tenth frame."""

    changes_image = False
    opened = 0

    def __init__(self, bad=(), data=False):
        self.bad, self.data = set(bad), data

    def open(self):
        Picky.opened += 1

    def close(self):
        Picky.opened -= 1

    def process(self, frame):
        number = round(frame.time_s * 25)
        if number in self.bad:
            raise ValueError(f"number {number}")
        if number % 10 == 9:
            return None
        return frame.replace(data={"odd": object() if self.data else number % 2})
