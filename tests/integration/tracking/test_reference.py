"""SORT against what its authors' implementation returns."""

import numpy as np

from sightline.detections import UNTRACKED
from sightline.tracking.sort import Sort

TOLERANCE_PX = 0.01


def reproduced(sequence):
    """Count the reference's rows that are found, and the rows that it does not have.

    A row is found where a box of the same frame has all sides within the tolerance, and no other
    id ever stands for this one in the sequence.
    """
    reference = sequence.reference.by_frame()
    ours_of, reference_of = {}, {}
    found = extra = 0
    tracker = Sort(max_age=1, min_hits=3, iou_threshold=0.3)
    for frame, detections in enumerate(sequence.frames(), start=1):
        tracked = tracker.update(detections)
        tracked = tracked[tracked.track_id != UNTRACKED]
        wanted = reference.get(frame)
        if wanted is None:
            extra += len(tracked)
            continue
        off = np.abs(tracked.xyxy[:, None] - wanted.xyxy[None]).max(axis=2)
        pairs = np.argwhere(off <= TOLERANCE_PX)
        extra += len(tracked) - len(pairs)
        for row, column in pairs:
            ours, theirs = int(tracked.track_id[row]), int(wanted.track_id[column])
            same = ours_of.setdefault(theirs, ours) == ours
            found += same and reference_of.setdefault(ours, theirs) == theirs
    return found, extra


def test_every_row_of_the_reference_is_reproduced_with_its_identity_and_no_other(sequence):
    assert reproduced(sequence) == (len(sequence.reference), 0)
