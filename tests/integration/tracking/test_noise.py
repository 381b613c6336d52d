"""The constants of the Kalman filter are those that the reference was made with.

Tracks are filtered again, from their birth to their first miss, with the detections that SORT gives
them. As the noise travels with the state, it can be changed here. With the constants as they are,
what comes out is the reference to its last decimal; with half or twice of any, it is not.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from sightline.tracking.geometry import Estimates, Measurements
from sightline.tracking.kalman import Filters
from sightline.tracking.sort import Sort

PROBATION = 3
LENGTH = 40
ROUNDING_PX = 0.0002
"""The reference has 4 decimals; boxes come in as float32."""


@dataclass
class Tracks:
    """What was detected and what the reference reports, (track, frame since birth, side).

    After the end of a track its last detection is repeated, and the report is NaN.
    """

    detected: np.ndarray
    reported: np.ndarray


def histories_of(sequence):
    """List the detections and the estimates of each track, from its birth to its first miss."""
    tracker = Sort(min_hits=0)
    histories = {}
    for frame, detections in enumerate(sequence.frames(), start=1):
        tracked = tracker.update(detections)
        rows = zip(tracked.track_id.tolist(), detections.xyxy, tracked.xyxy, strict=True)
        for track_id, detected, estimated in rows:
            history = histories.setdefault(track_id, [])
            if not history or history[-1][0] == frame - 1:
                history.append((frame, detected, estimated))
    return [history for history in histories.values() if len(history) > PROBATION]


@pytest.fixture(scope="module")
def tracks(sequences):
    detected, reported = [], []
    for sequence in sequences:
        reference = {frame: rows.xyxy for frame, rows in sequence.reference.by_frame().items()}
        for history in histories_of(sequence):
            boxes = np.array([box for _, box, _ in history[:LENGTH]])
            after = np.full((LENGTH, 4), np.nan)
            for age, (frame, _, estimated) in enumerate(history[:LENGTH]):
                if age >= PROBATION:
                    off = np.abs(reference[frame] - estimated).max(axis=1)
                    after[age] = reference[frame][off.argmin()]
            detected.append(np.pad(boxes, ((0, LENGTH - len(boxes)), (0, 0)), mode="edge"))
            reported.append(after)
    return Tracks(np.array(detected), np.array(reported))


def deviations_px(tracks, *, row=0, components=(), factor=1.0):
    """Filter all tracks side by side; tell how far each reported box is off.

    Args:
        tracks: The data.
        row: Row of the states of new tracks in which to change constants.
        components: Which of u, v, s, r to change.
        factor: What to multiply these with.
    """
    count = len(tracks.detected)
    measured, filters, estimates = Measurements(count), Filters(count), Estimates(count)
    assert measured.load(tracks.detected[:, 0])
    filters.begin(measured.values)
    filters.states[row, components] *= factor
    off = []
    for age in range(1, LENGTH):
        filters.predict()
        filters.states[...] = filters.predicted
        assert measured.load(tracks.detected[:, age])
        filters.correct(measured.flat)
        estimates.load(filters.states[0], filters.states[0])
        off.append(np.abs(estimates.boxes.T - tracks.reported[:, age]).max(axis=1))
    return np.concatenate(off)[~np.isnan(np.concatenate(off))]


def test_the_constants_reproduce_the_reference(tracks):
    off = deviations_px(tracks)
    assert len(off) > 5000
    assert off.max() < ROUNDING_PX


U_AND_V, AREA, RATIO = (0, 1), (2,), (3,)


@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize(
    ("row", "components"),
    [
        pytest.param(2, U_AND_V, id="first variance of the centre"),
        pytest.param(2, AREA, id="first variance of the area"),
        pytest.param(2, RATIO, id="first variance of the aspect ratio"),
        pytest.param(4, U_AND_V, id="first variance of the velocity"),
        pytest.param(4, AREA, id="first variance of the growth"),
        pytest.param(5, U_AND_V, id="noise of the centre"),
        pytest.param(5, AREA, id="noise of the area"),
        pytest.param(5, RATIO, id="noise of the aspect ratio"),
        pytest.param(6, U_AND_V, id="noise of the velocity"),
        pytest.param(6, AREA, id="noise of the growth"),
    ],
)
def test_half_or_twice_a_constant_does_not_reproduce_it(tracks, row, components, factor):
    off = deviations_px(tracks, row=row, components=components, factor=factor)
    assert off.max() > 5 * ROUNDING_PX
