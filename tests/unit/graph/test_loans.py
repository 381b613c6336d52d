"""Lending images, and noticing which are kept."""

import secrets

import numpy as np
import pytest

from sightline.graph.loans import Copied, Loans, OutputSlot
from sightline.transport.messages import Pixels
from sightline.transport.slot_pool import SlotPool
from sightline.transport.slot_reader import SlotReader

SHAPE = (4, 6, 3)


@pytest.fixture
def pool():
    with SlotPool(f"sightline-test-{secrets.token_hex(6)}-", slots=3) as pool:
        pool.fit(72)
        yield pool


@pytest.fixture
def loans():
    with SlotReader() as reader:
        yield Loans(reader)


def acquire(pool, value=7):
    slot = pool.acquire()
    pool.array(slot, SHAPE)[...] = value
    return Pixels(SHAPE, slot)


def test_the_first_image_is_a_copy_and_the_next_one_lies_in_its_slot(pool, loans):
    pixels = acquire(pool)
    first = loans.lend(pixels)
    assert isinstance(first, Copied)
    assert not loans.settle([first])

    second = loans.lend(pixels)
    pool.array(pixels.slot, SHAPE)[...] = 9

    assert (first.image == 7).all()
    assert (second.image == 9).all()


def test_who_keeps_the_first_image_gets_copies_and_no_slot_is_given_up(pool, loans):
    pixels = acquire(pool)
    for _ in range(3):
        loan = loans.lend(pixels)
        kept = loan.image[1:]
        assert not loans.settle([loan])
        assert isinstance(loan, Copied)
    assert (kept == 7).all()


def test_a_view_of_a_lent_image_that_is_kept_gives_its_slot_up_and_ends_lending(pool, loans):
    pixels = acquire(pool)
    loans.settle([loans.lend(pixels)])
    loan = loans.lend(pixels)
    kept = memoryview(loan.image[1:])

    assert loans.settle([loan])
    assert isinstance(loans.lend(pixels), Copied)
    assert kept[0, 0, 0] == 7


def test_images_for_results_are_lent_and_noticed_in_the_same_way(pool, loans):
    slot = pool.acquire()
    first = OutputSlot(loans, slot)
    first.allocate(SHAPE)
    assert not loans.settle([first])

    second = OutputSlot(loans, slot)
    image = second.allocate(SHAPE)
    image[...] = 5

    assert (pool.array(slot, SHAPE) == 5).all()
    assert second.allocate(SHAPE) is None
    assert loans.settle([second])
    third = OutputSlot(loans, slot)
    third.allocate(SHAPE)[...] = 3
    assert (image == 5).all()


def test_an_image_too_large_for_its_slot_is_not_granted(pool, loans):
    output = OutputSlot(loans, pool.acquire())

    assert output.allocate((1000, 1000, 3)) is None
    assert OutputSlot(loans, None).allocate(SHAPE) is None
    assert not output.in_use()


def test_nothing_is_learnt_from_no_loans(pool, loans):
    assert not loans.settle([])

    assert isinstance(loans.lend(acquire(pool)), Copied)


def test_copies_are_read_only(pool, loans):
    image = loans.lend(acquire(pool)).image

    with pytest.raises(ValueError, match="read-only"):
        image[...] = np.uint8(1)
