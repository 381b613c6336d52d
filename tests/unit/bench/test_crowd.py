"""Generated crowds: what a tracker is measured on must be what it says."""

import numpy as np

from sightline.bench.crowd import Crowd


def test_a_crowd_is_the_same_every_time():
    first, second = (list(Crowd(count=20, frames=30).boxes()) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_without_misses_every_object_is_found_in_every_frame():
    frames = list(Crowd(count=30, frames=200, speed=20.0, missed=0.0).boxes())
    assert [boxes.shape for boxes in frames] == [(30, 4)] * 200


def test_the_centres_stay_in_the_image_as_objects_leave_and_enter():
    for boxes in Crowd(count=50, frames=300, speed=20.0, noise=0.0).boxes():
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2
        assert (centre >= -0.01).all()
        assert (centre <= [1920.01, 1080.01]).all()


def test_some_objects_are_missed_and_the_boxes_are_noisy_but_never_inside_out():
    frames = list(Crowd(count=200, frames=50).boxes())
    share = np.mean([len(boxes) for boxes in frames]) / 200
    assert 0.93 < share < 0.97
    assert all((boxes[:, 2:] > boxes[:, :2]).all() for boxes in frames)


def test_objects_move_with_constant_velocity_between_the_borders():
    """In random order and without noise: every box has a straight continuation."""
    first, second, third = Crowd(count=5, frames=3, noise=0.0, missed=0.0).boxes()
    guess = 2 * second[:, None] - first[None]
    off = np.abs(guess.reshape(-1, 1, 4) - third[None]).max(axis=2)
    assert (off.min(axis=0) < 0.01).all()
