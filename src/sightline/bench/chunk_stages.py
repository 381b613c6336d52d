"""Stages for measuring what surrounds the work: one does nothing, one waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sightline.pipeline.stage import Stage

if TYPE_CHECKING:
    from sightline.frame import Frame

__all__ = ["Nothing", "Waits"]


class Nothing(Stage):
    """Does nothing."""

    changes_image = False
    reads_image = False

    def process(self, frame: Frame) -> Frame:
        """Do nothing."""
        return frame


class Waits(Stage):
    """Waits, as for an accelerator elsewhere.

    Args:
        each_s: How long for every frame.
    """

    changes_image = False
    reads_image = False

    def __init__(self, each_s: float) -> None:
        self.each_s = each_s

    def process(self, frame: Frame) -> Frame:
        """Wait."""
        time.sleep(self.each_s)
        return frame
