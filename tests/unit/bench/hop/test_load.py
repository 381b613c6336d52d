"""What counts as delivered, and what figures are made of it."""

import os
import time

import numpy as np
import pytest

from sightline.bench.hop.load import (
    MARKS,
    WARM_UP,
    HopLoad,
    Samples,
    Tally,
    departures,
    make_images,
)
from sightline.errors import GraphError

LOAD = HopLoad(width=8, height=6, frames=5)


def gray(seq, level=None):
    return np.full((6, 8), MARKS[seq % len(MARKS)] if level is None else level, np.uint8)


def tally(load, results):
    kept = Tally(load, [os.getpid()])
    for seq, image in results:
        kept.count(seq, 1000 * seq, image)
    return kept


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": 0}, "0x6"),
        ({"height": -1}, "8x-1"),
        ({"frames": 1}, "frames must be 2 or more, but is 1"),
        ({"rate": 0.0}, r"rate must be more than 0, but is 0\.0"),
    ],
)
def test_a_load_that_makes_no_sense_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        HopLoad(**{"width": 8, "height": 6, "frames": 5, **wrong})


def test_the_images_of_the_ring_carry_their_mark_in_two_corners():
    images = make_images(LOAD)
    assert [image.shape for image in images] == [(6, 8, 3)] * len(MARKS)
    for image, mark in zip(images, MARKS, strict=True):
        assert set(image[0, 0]) == set(image[-1, -1]) == {mark}


def test_every_frame_departs_once_in_order():
    assert list(departures(LOAD)) == list(range(WARM_UP + 5))


def test_paced_frames_never_depart_early():
    rate = 2000.0
    started = time.monotonic()
    early = [
        seq
        for seq in departures(HopLoad(width=8, height=6, frames=30, rate=rate))
        if time.monotonic() < started + seq / rate
    ]
    assert early == []


def test_frames_of_the_warm_up_are_not_counted():
    kept = tally(LOAD, [(seq, gray(seq)) for seq in range(LOAD.total)])
    assert kept.complete
    assert kept.samples().sent_ns == [1000 * seq for seq in range(WARM_UP, LOAD.total)]


def test_a_frame_that_was_overwritten_by_another_is_not_delivered():
    frames = [(seq, gray(seq)) for seq in range(LOAD.total)]
    frames[WARM_UP + 2] = (WARM_UP + 2, gray(WARM_UP + 3))
    assert tally(LOAD, frames).samples().summarise().delivered == 4


def test_a_frame_that_was_overwritten_in_part_is_not_delivered():
    torn = gray(WARM_UP + 2)
    torn[-1, -1] = MARKS[WARM_UP % len(MARKS)]
    frames = [(seq, gray(seq)) for seq in range(LOAD.total)]
    frames[WARM_UP + 2] = (WARM_UP + 2, torn)
    assert tally(LOAD, frames).samples().summarise().delivered == 4


def test_a_load_whose_end_is_lost_is_not_complete_but_has_figures():
    kept = tally(LOAD, [(seq, gray(seq)) for seq in range(LOAD.total - 2)])
    assert not kept.complete
    assert kept.samples().summarise().delivered == 3


def test_figures_are_those_between_the_first_and_the_last_frame_delivered():
    ms = 1_000_000
    result = Samples(
        sent_ns=[0, 10 * ms, 20 * ms], received_ns=[5 * ms, 12 * ms, 25 * ms], cpu_s=0.006
    ).summarise()
    assert result.frames_per_second == pytest.approx(100)
    assert result.latency_p50_ms == pytest.approx(5)
    assert result.cpu_ms_per_frame == pytest.approx(3)
    assert result.delivered == 3


def test_fewer_than_two_frames_give_no_figures():
    with pytest.raises(GraphError, match="1 frames were delivered"):
        Samples(sent_ns=[0], received_ns=[1], cpu_s=0.0).summarise()
