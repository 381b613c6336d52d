"""Scores of tracking on a sequence with known figures."""

import pytest

from sightline.evaluate.tracking import evaluate_tracking


def test_the_reference_tracks_of_tud_stadtmitte_score_as_published(shared_data):
    folder = shared_data / "mot15" / "TUD-Stadtmitte"
    scores = evaluate_tracking(folder / "gt.txt", folder / "sort-reference.txt")
    assert scores.mota == pytest.approx(0.717, abs=0.0005)
    assert scores.idf1 == pytest.approx(0.735, abs=0.0005)
    assert scores.id_switches == 10
    assert scores.ground_truth_boxes == 1156
    assert scores.result_boxes == 883


def test_the_ground_truth_of_tud_stadtmitte_scores_1_against_itself(shared_data):
    path = shared_data / "mot15" / "TUD-Stadtmitte" / "gt.txt"
    scores = evaluate_tracking(path, path)
    assert (scores.mota, scores.idf1, scores.hota, scores.motp) == (1, 1, 1, 1)
