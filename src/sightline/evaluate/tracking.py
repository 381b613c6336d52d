"""Scores of tracking results against ground truth: CLEAR MOT, identity and HOTA, by TrackEval.

It brings rows into the form that TrackEval's metrics take and its figures into one value; no
figure is computed here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.boxes import iou_matrix
from sightline.errors import FormatError, MissingExtraError
from sightline.formats.mot import MotRows, read_mot

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["TrackingScores", "evaluate_tracking"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingScores:
    """How well results follow the ground truth of one sequence.

    Ratios are 1 at best. Higher is better for all ratios, lower for the counts of errors.

    Attributes:
        mota: Multiple object tracking accuracy (Bernardin and Stiefelhagen 2008): 1 − (misses +
            false positives + identity switches) / ground-truth boxes; may be negative.
        motp: Mean IoU of the matched boxes; 0 without matches.
        idf1: Identity F1 (Ristani et al. 2016).
        idp: Identity precision.
        idr: Identity recall.
        hota: Higher order tracking accuracy (Luiten et al. 2021), mean over the IoU thresholds
            0.05, 0.1 … 0.95.
        deta: Detection accuracy within HOTA.
        assa: Association accuracy within HOTA.
        id_switches: How often a ground-truth track is matched to another result track than before.
        fragmentations: How often a ground-truth track is lost and found again.
        misses: Ground-truth boxes without a match.
        false_positives: Result boxes without a match.
        ground_truth_boxes: Boxes scored against.
        ground_truth_tracks: Tracks scored against.
        result_boxes: Boxes scored.
        result_tracks: Tracks scored.
    """

    mota: float
    motp: float
    idf1: float
    idp: float
    idr: float
    hota: float
    deta: float
    assa: float
    id_switches: int
    fragmentations: int
    misses: int
    false_positives: int
    ground_truth_boxes: int
    ground_truth_tracks: int
    result_boxes: int
    result_tracks: int


def evaluate_tracking(
    ground_truth: str | PathLike[str] | MotRows,
    results: str | PathLike[str] | MotRows,
    *,
    iou_threshold: float = 0.5,
) -> TrackingScores:
    """Score tracking results against the ground truth of the same sequence.

    Rows have no class: all objects count alike, so leave out what should not be compared.
    Ground-truth rows with confidence 0 are ignored, as the MOT Challenge prescribes; result
    boxes on them count as false positives.

    Args:
        ground_truth: A file of MOT Challenge rows, or its rows.
        results: A file of MOT Challenge rows, or its rows; no rows at all is a valid result.
        iou_threshold: Least IoU of a match for the CLEAR MOT and identity figures, in (0, 1];
            HOTA has its own.

    Raises:
        FormatError: A file cannot be read; the ground truth is empty; a row has no track id; a
            track occurs twice in one frame.
        MissingExtraError: TrackEval is not installed.
    """
    if not 0 < iou_threshold <= 1:
        raise ValueError(f"iou_threshold must be in (0, 1], but is {iou_threshold}")
    truth, truth_name = _load(ground_truth, "the ground truth")
    truth = truth[truth.confidence != 0]
    if not len(truth):
        raise FormatError(f"{truth_name}: no boxes to score against")
    found, found_name = _load(results, "the results")
    _check_tracks(truth, truth_name)
    _check_tracks(found, found_name)
    return _score(_prepare(truth, found), iou_threshold)


def _load(rows: str | PathLike[str] | MotRows, name: str) -> tuple[MotRows, str]:
    return (rows, name) if isinstance(rows, MotRows) else (read_mot(rows), f"{name} in {rows}")


def _check_tracks(rows: MotRows, name: str) -> None:
    untracked = np.flatnonzero(rows.track_id < 0)
    if len(untracked):
        raise FormatError(
            f"{name}: a box in frame {rows.frame[untracked[0]]} is on no track; "
            "scores of tracking need a track id in every row"
        )
    pairs, counts = np.unique(
        np.stack([rows.frame, rows.track_id], axis=1), axis=0, return_counts=True
    )
    if (counts > 1).any():
        frame, track_id = pairs[counts > 1][0]
        raise FormatError(f"{name}: track {track_id} occurs more than once in frame {frame}")


def _prepare(truth: MotRows, found: MotRows) -> dict[str, Any]:
    """Lay rows out as TrackEval takes them: per frame, ids from 0 without gaps, and IoUs."""
    truth, truth_ids = _renumber(truth)
    found, found_ids = _renumber(found)
    truth_by_frame, found_by_frame = truth.by_frame(), found.by_frame()
    nothing = truth[np.zeros(len(truth), bool)]
    pairs = [
        (truth_by_frame.get(frame, nothing), found_by_frame.get(frame, nothing))
        for frame in sorted(truth_by_frame.keys() | found_by_frame.keys())
    ]
    return {
        "gt_ids": [a.track_id for a, _ in pairs],
        "tracker_ids": [b.track_id for _, b in pairs],
        "similarity_scores": [iou_matrix(a.xyxy, b.xyxy) for a, b in pairs],
        "num_timesteps": len(pairs),
        "num_gt_dets": len(truth),
        "num_tracker_dets": len(found),
        "num_gt_ids": truth_ids,
        "num_tracker_ids": found_ids,
    }


def _renumber(rows: MotRows) -> tuple[MotRows, int]:
    ids, track_id = np.unique(rows.track_id, return_inverse=True)
    return replace(rows, track_id=track_id.astype(np.int64)), len(ids)


def _score(data: dict[str, Any], iou_threshold: float) -> TrackingScores:
    try:
        from trackeval.metrics import CLEAR, HOTA, Identity
    except ImportError as error:
        raise MissingExtraError.of("Scoring of tracks", "eval") from error
    config = {"THRESHOLD": iou_threshold, "PRINT_CONFIG": False}
    clear = CLEAR(config).eval_sequence(data)
    identity = Identity(config).eval_sequence(data)
    hota = HOTA().eval_sequence(data)
    return TrackingScores(
        mota=float(clear["MOTA"]),
        motp=float(clear["MOTP"]),
        idf1=float(identity["IDF1"]),
        idp=float(identity["IDP"]),
        idr=float(identity["IDR"]),
        hota=float(np.mean(hota["HOTA"])),
        deta=float(np.mean(hota["DetA"])),
        assa=float(np.mean(hota["AssA"])),
        id_switches=int(clear["IDSW"]),
        fragmentations=int(clear["Frag"]),
        misses=int(clear["CLR_FN"]),
        false_positives=int(clear["CLR_FP"]),
        ground_truth_boxes=data["num_gt_dets"],
        ground_truth_tracks=data["num_gt_ids"],
        result_boxes=data["num_tracker_dets"],
        result_tracks=data["num_tracker_ids"],
    )
