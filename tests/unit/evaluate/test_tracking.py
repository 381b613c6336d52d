"""Scores of tracking, on sequences small enough to count by hand."""

import sys

import numpy as np
import pytest

from sightline.errors import FormatError, MissingExtraError
from sightline.evaluate.tracking import evaluate_tracking
from sightline.formats.mot import MotRows


def rows(*entries, confidence=1.0):
    """Make rows of (frame, track id, left), each box 10 pixels wide and high."""
    frame, track_id, left = np.array(entries, float).reshape(-1, 3).T
    zero = np.zeros_like(left)
    return MotRows(
        frame=frame.astype(np.int64),
        track_id=track_id.astype(np.int64),
        xyxy=np.stack([left, zero, left + 10, zero + 10], axis=1),
        confidence=np.full(len(left), confidence),
    )


WALK = rows(*[(frame, 1, 2 * frame) for frame in range(1, 11)])


def test_the_ground_truth_itself_scores_1_without_errors():
    scores = evaluate_tracking(WALK, WALK)
    assert (scores.mota, scores.motp, scores.idf1, scores.hota) == (1, 1, 1, 1)
    assert (scores.misses, scores.false_positives, scores.id_switches) == (0, 0, 0)
    assert (scores.ground_truth_boxes, scores.ground_truth_tracks) == (10, 1)


def test_ids_may_have_other_numbers_than_in_the_ground_truth():
    renamed = rows(*[(frame, 900 - 3, 2 * frame) for frame in range(1, 11)])
    assert evaluate_tracking(WALK, renamed).idf1 == 1


def test_no_results_score_0_and_every_box_is_a_miss():
    scores = evaluate_tracking(WALK, rows())
    assert (scores.mota, scores.idf1, scores.hota, scores.misses) == (0, 0, 0, 10)
    assert scores.result_boxes == 0


def test_errors_are_counted_as_by_hand():
    switched = [(frame, 1 if frame <= 6 else 2, 2 * frame) for frame in range(1, 11)]
    del switched[2]  # a miss in frame 3, which also breaks the track in two
    scores = evaluate_tracking(WALK, rows(*switched, (3, 3, 500), (11, 3, 500)))
    assert scores.id_switches == 1
    assert scores.misses == 1
    assert scores.false_positives == 2
    assert scores.fragmentations == 1
    assert scores.mota == pytest.approx(1 - (1 + 1 + 2) / 10)
    # The best identity is track 1 with 5 boxes: IDTP 5, IDFN 5, IDFP 6.
    assert scores.idf1 == pytest.approx(5 / (5 + 0.5 * 6 + 0.5 * 5))


def test_boxes_match_from_the_threshold_on():
    shifted = rows(*[(frame, 1, 2 * frame + 2.5) for frame in range(1, 11)])  # IoU 0.6
    assert evaluate_tracking(WALK, shifted, iou_threshold=0.59).misses == 0
    assert evaluate_tracking(WALK, shifted, iou_threshold=0.61).misses == 10
    assert evaluate_tracking(WALK, shifted).motp == pytest.approx(0.6)


def test_ground_truth_with_confidence_0_is_ignored():
    ignored = rows((1, 5, 300), confidence=0.0)
    both = MotRows(
        **{
            name: np.concatenate([getattr(WALK, name), getattr(ignored, name)])
            for name in ("frame", "track_id", "xyxy", "confidence")
        }
    )
    assert evaluate_tracking(both, WALK).misses == 0


@pytest.mark.parametrize(
    ("truth", "found", "message"),
    [
        (rows(), WALK, "the ground truth: no boxes to score against"),
        (rows((1, 1, 0), confidence=0.0), WALK, "no boxes to score against"),
        (WALK, rows((4, -1, 0)), "the results: a box in frame 4 is on no track"),
        (WALK, rows((4, 2, 0), (4, 2, 50)), "track 2 occurs more than once in frame 4"),
    ],
)
def test_what_cannot_be_scored_is_refused(truth, found, message):
    with pytest.raises(FormatError, match=message):
        evaluate_tracking(truth, found)


@pytest.mark.parametrize("threshold", [0, -0.1, 1.1, float("nan")])
def test_a_threshold_out_of_range_is_refused(threshold):
    with pytest.raises(ValueError, match="iou_threshold"):
        evaluate_tracking(WALK, WALK, iou_threshold=threshold)


def test_without_trackeval_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "trackeval.metrics", None)
    with pytest.raises(MissingExtraError, match=r"sightline\[eval\]"):
        evaluate_tracking(WALK, WALK)


def test_nothing_is_printed(capsys):
    evaluate_tracking(WALK, WALK)
    assert capsys.readouterr() == ("", "")
