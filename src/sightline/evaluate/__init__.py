"""Scores of tracking and detection results against ground truth."""
