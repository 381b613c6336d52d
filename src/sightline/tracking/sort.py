"""SORT: simple online and realtime tracking, written from the paper.

Alex Bewley, Zongyuan Ge, Lionel Ott, Fabio Ramos, Ben Upcroft: Simple Online and Realtime Tracking.
ICIP 2016, arXiv:1602.00763. This module owns the life of tracks (section 3.4); motion, overlap and
assignment are the business of its neighbours.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.detections import UNTRACKED
from sightline.tracking.assignment import associate, load_solver
from sightline.tracking.geometry import Estimates, Measurements
from sightline.tracking.kalman import AREA, OWNER, VALUE, Filters
from sightline.tracking.overlap import Boxes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.detections import Detections

__all__ = ["Sort"]

_ID, _STREAK_START, _LAST_SEEN = 0, 1, 2
_KEPT_WORKSPACES = 32
_NONE = np.empty(0, np.intp)


class _Tracks:
    """All tracks of a frame: those of its detections, in their order, then those not seen in it.

    In its owner's row a filter carries along the track's id, the frame from which its hits in a
    row count (that of its birth or last miss), and the frame that it was last seen in: whole
    numbers, which float64 holds exactly.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.filters = Filters(count)
        self.estimates = Estimates(count)
        self.states = self.filters.states
        self.predicted = self.filters.predicted
        self.boxes = Boxes(self.estimates.mirrored, self.predicted[VALUE, AREA])
        self.track_id, self.streak_start, self.last_seen, _ = self.states[OWNER]
        self.was_seen = self.predicted[OWNER, _LAST_SEEN]

    def begin(self, values: NDArray[np.float64], *, frame: int) -> None:
        """Let the first tracks be new, seen for the first time now; ids are up to the caller.

        Args:
            values: float64 (4, K), their measurements u, v, s, r.
            frame: Number of this frame.
        """
        self.filters.begin(values)
        self.streak_start.fill(frame)
        self.last_seen.fill(frame)

    def advance(self) -> None:
        """Predict the next frame from `states`."""
        self.filters.predict()
        self.estimates.load(self.states[VALUE], self.predicted[VALUE])


class Sort:
    """The SORT tracker: a Kalman filter per object, matched to detections by overlap.

    Each frame, tracks are predicted and assigned to detections so that the total intersection
    over union is greatest. A detection without a track begins one; a track is reported from its
    `min_hits`-th hit in a row after that, and in the first `min_hits` frames of a stream at once.
    A track that misses starts to count its hits anew, and ends when it has missed more than
    `max_age` frames in a row. Classes play no part.

    A detection whose box has no area, is inside out or not finite is on no track.

    Instances are copied and pickled with their tracks. Of every frame all tracks are computed at
    once, in float64.

    Args:
        max_age: Frames in a row that a track survives without detection; T_Lost of the paper.
        min_hits: Hits in a row, after the detection that began it, until a track is reported.
        iou_threshold: Smallest intersection over union of a detection with the predicted box of
            its track, in (0, 1]; IOU_min of the paper.
    """

    def __init__(self, *, max_age: int = 1, min_hits: int = 3, iou_threshold: float = 0.3) -> None:
        if max_age < 0:
            raise ValueError(f"max_age must not be negative, but is {max_age}")
        if min_hits < 0:
            raise ValueError(f"min_hits must not be negative, but is {min_hits}")
        if not 0.0 < iou_threshold <= 1.0:
            raise ValueError(f"iou_threshold must be in (0, 1], but is {iou_threshold}")
        self.max_age = max_age
        self.min_hits = min_hits
        self.iou_threshold = iou_threshold
        self._begin()

    def reset(self) -> None:
        """Forget all tracks and start numbering at 1 again.

        Loads what the first frame would otherwise wait for; a tracker that is only described, or
        that another process uses, does without.
        """
        load_solver()
        self._begin()

    def describe(self) -> dict[str, Any]:
        """State the name and the options."""
        return {
            "tracker": "sort",
            "max_age": self.max_age,
            "min_hits": self.min_hits,
            "iou_threshold": self.iou_threshold,
        }

    def update(self, detections: Detections) -> Detections:
        """Advance by one frame; see `Tracker.update`."""
        self._frame += 1
        if not len(detections) and not self._tracks.count:
            return detections
        return detections.with_tracks(*self._advance(detections.xyxy))

    def __getstate__(self) -> dict[str, Any]:
        """Options and tracks, without the workspaces."""
        return {
            **self.describe(),
            "frame": self._frame,
            "next_id": self._next_id,
            "states": self._tracks.states.copy(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.max_age = state["max_age"]
        self.min_hits = state["min_hits"]
        self.iou_threshold = state["iou_threshold"]
        self._resume(frame=state["frame"], next_id=state["next_id"], states=state["states"])

    def _begin(self) -> None:
        self._resume(frame=0, next_id=1, states=np.empty((8, 4, 0)))

    def _resume(self, *, frame: int, next_id: int, states: NDArray[np.float64]) -> None:
        self._frame = frame
        self._next_id = next_id
        self._measurements_of = lru_cache(_KEPT_WORKSPACES)(Measurements)
        self._tracks_of = lru_cache(_KEPT_WORKSPACES)(_Tracks)
        self._tracks = self._tracks_of(states.shape[2])
        self._tracks.states[...] = states
        self._tracks.advance()

    def _advance(self, xyxy: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Compute the boxes and ids to report, float32 (N, 4) and int64 (N,)."""
        measured = self._measurements_of(len(xyxy))
        if not measured.load(xyxy):
            return self._advance_with_measurable(xyxy)
        rows, columns = associate(measured.boxes, self._tracks.boxes, self.iou_threshold)
        matched = self._matched(measured, rows, columns)
        lost = self._lost(columns)
        if len(rows) < len(xyxy) or len(lost):
            self._tracks = self._joined(matched, measured, rows, lost)
        else:
            self._tracks = matched
        self._tracks.advance()
        return self._report(xyxy)

    def _advance_with_measurable(
        self, xyxy: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        rows = np.flatnonzero(
            np.isfinite(xyxy).all(axis=1) & (xyxy[:, 2:] > xyxy[:, :2]).all(axis=1)
        )
        boxes, track_id = xyxy.copy(), np.full(len(xyxy), UNTRACKED, np.int64)
        boxes[rows], track_id[rows] = self._advance(xyxy[rows])
        return boxes, track_id

    def _matched(
        self, measured: Measurements, rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> _Tracks:
        """Correct the tracks that have a detection, in the order of these."""
        count = len(rows)
        matched = self._tracks_of(count)
        self._tracks.predicted.take(columns, axis=2, out=matched.states, mode="clip")
        if count == measured.count:
            matched.filters.correct(measured.flat)
        else:
            matched.filters.correct(measured.values.take(rows, axis=1).reshape(4 * count))
        matched.last_seen.fill(self._frame)
        return matched

    def _lost(self, columns: NDArray[np.intp]) -> NDArray[np.intp]:
        """Find the tracks that have no detection but may still find one."""
        tracks = self._tracks
        if len(columns) == tracks.count:
            return _NONE
        tracks.was_seen[columns] = -np.inf
        lost: NDArray[np.intp] = (tracks.was_seen >= self._frame - self.max_age).nonzero()[0]
        return lost

    def _joined(
        self,
        matched: _Tracks,
        measured: Measurements,
        rows: NDArray[np.intp],
        lost: NDArray[np.intp],
    ) -> _Tracks:
        """Put together matched, new and lost tracks: those of the detections first, in order."""
        count = measured.count
        joined = self._tracks_of(count + len(lost))
        if len(rows) == count:
            joined.states[:, :, :count] = matched.states
        else:
            joined.begin(measured.values, frame=self._frame)
            new = np.ones(count, np.bool_)
            new[rows] = False
            born = new.nonzero()[0]
            first, self._next_id = self._next_id, self._next_id + len(born)
            joined.track_id[born] = np.arange(first, self._next_id)
            joined.states[:, :, rows] = matched.states
        if len(lost):
            joined.states[:, :, count:] = self._tracks.predicted.take(lost, axis=2)
            joined.streak_start[count:] = self._frame
        return joined

    def _report(self, xyxy: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Give confirmed tracks their id and estimated box; others, their own box and no id."""
        count = len(xyxy)
        tracks = self._tracks
        track_id = tracks.track_id[:count].astype(np.int64)
        boxes = tracks.estimates.boxes[:, :count]
        if self._frame > self.min_hits:
            hidden = tracks.streak_start[:count] > self._frame - self.min_hits
            np.copyto(boxes, xyxy.T, where=hidden)
            np.putmask(track_id, hidden, UNTRACKED)
        return boxes.T.astype(np.float32), track_id
