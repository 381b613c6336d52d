"""Slots of frames and slots of what stages make of them keep apart."""

import uuid

import numpy as np
import pytest

from sightline.transport.frame_slots import FrameSlots


@pytest.fixture
def prefix():
    return f"sightline-test-{uuid.uuid4().hex[:8]}-"


def test_a_frame_takes_a_slot_of_each_kind_and_gives_both_back(prefix):
    slots = FrameSlots(prefix, frames=2, outputs=True)
    slots.fit(100)
    taken = [slots.acquire(), slots.acquire()]
    assert slots.free == 0
    assert slots.acquire() is None
    inputs, outputs = zip(*taken, strict=True)
    assert len({slot.segment for slot in inputs}) == len({slot.segment for slot in outputs}) == 1
    assert {slot.segment for slot in inputs}.isdisjoint(slot.segment for slot in outputs)
    slots.release(inputs[0])
    assert slots.free == 0
    slots.release(outputs[1])
    assert slots.free == 1
    slots.close()


def test_a_frame_that_is_larger_than_those_before_waits_until_their_slots_are_back(prefix):
    slots = FrameSlots(prefix, frames=3, outputs=True)
    slots.fit(100)
    slot, output = slots.acquire()
    larger = slot.capacity + 1
    assert not slots.holds(larger)
    slots.lower(2)
    assert (slots.free, slots.can_take(100), slots.can_take(larger)) == (1, True, False)
    slots.release(slot)
    assert not slots.can_take(larger)
    slots.release(output)
    assert slots.can_take(larger)
    slots.fit(larger)
    taken = [slots.acquire(), slots.acquire()]
    assert min(each.capacity for pair in taken for each in pair) >= larger
    assert slots.acquire() is None
    slots.close()


def test_without_outputs_a_frame_takes_one_slot(prefix):
    slots = FrameSlots(prefix, frames=1, outputs=False)
    slots.fit(12)
    slot, output = slots.acquire()
    assert output is None
    slots.array(slot, (2, 2, 3))[...] = 7
    assert np.all(slots.array(slot, (12,)) == 7)
    slots.forgo(slot)
    slots.fit(12)
    assert slots.free == 1
    with pytest.raises(ValueError, match="is not out"):
        slots.release(slot)
    slots.close()
