import gc
import secrets
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import SharedMemoryError, StaleSlotError
from sightline.frame import Frame
from sightline.transport.messages import Pixels, SlotRef
from sightline.transport.segment import unlink_segments
from sightline.transport.slot_pool import SlotPool
from sightline.transport.slot_reader import SlotReader, locate

SHAPE = (4, 6, 3)


@pytest.fixture
def prefix():
    prefix = f"sightline-test-{secrets.token_hex(6)}-"
    yield prefix
    assert unlink_segments(prefix) == []


@pytest.fixture
def pool(prefix):
    with SlotPool(prefix, slots=2) as pool:
        pool.fit(int(np.prod(SHAPE)))
        yield pool


@pytest.fixture
def reader():
    with SlotReader() as reader:
        yield reader


@pytest.fixture
def pixels(pool):
    ref = pool.acquire()
    image = pool.array(ref, SHAPE)
    image[...] = np.arange(image.size).reshape(SHAPE)
    return Pixels(SHAPE, ref)


def mappings(segment):
    return Path("/proc/self/maps").read_text(encoding="ascii").count(segment)


def test_an_image_is_borrowed_where_it_lies(pool, pixels, reader):
    borrowed = reader.borrow(pixels)

    assert borrowed.image.shape == SHAPE
    assert (borrowed.image == pool.array(pixels.slot, SHAPE)).all()
    pool.array(pixels.slot, SHAPE)[...] = 9
    assert (borrowed.image == 9).all()


def test_part_of_a_slot_is_borrowed_by_its_offset(pixels, reader):
    borrowed = reader.borrow(Pixels((2, 3), pixels.slot, 10))

    assert borrowed.image.tolist() == [[10, 11, 12], [13, 14, 15]]


def test_a_borrowed_image_cannot_be_written_to(pixels, reader):
    with pytest.raises(ValueError, match="read-only"):
        reader.borrow(pixels).image[0, 0] = 0


def test_a_slot_that_was_given_out_again_is_stale(pool, pixels, reader):
    borrowed = reader.borrow(pixels)
    assert borrowed.is_current()

    pool.release(pixels.slot)
    assert borrowed.is_current(), "the pixels are there until the slot is given out again"
    pool.acquire()

    assert not borrowed.is_current()
    with pytest.raises(StaleSlotError, match="generation 1 was wanted, but it is 2"):
        reader.borrow(pixels)
    with pytest.raises(StaleSlotError, match="generation 1 was wanted"):
        reader.writable(pixels.slot, SHAPE)
    with pytest.raises(StaleSlotError):
        borrowed.copy()


def test_a_copy_is_independent_of_the_slot(pool, pixels, reader):
    copy = reader.borrow(pixels).copy()
    pool.array(pixels.slot, SHAPE)[...] = 0

    assert copy.any()
    assert copy.flags.writeable


def test_an_output_slot_is_written_to_in_place(pool, reader):
    ref = pool.acquire()

    reader.writable(ref, (2, 3))[...] = 5

    assert (pool.array(ref, (6,)) == 5).all()


def test_pixels_that_follow_as_a_message_cannot_be_borrowed(reader):
    with pytest.raises(ValueError, match="in no slot"):
        reader.borrow(Pixels(SHAPE))


@pytest.mark.parametrize("index", [-1, 2])
def test_a_slot_that_is_not_there_cannot_be_borrowed(pixels, reader, index):
    ref = SlotRef(pixels.slot.segment, index, 1, 4096)

    with pytest.raises(SharedMemoryError, match=f"no slot {index}"):
        reader.borrow(Pixels(SHAPE, ref))


def test_an_image_larger_than_its_slot_cannot_be_borrowed(pixels, reader):
    with pytest.raises(SharedMemoryError, match="not inside"):
        reader.borrow(Pixels((1000, 1000), pixels.slot))


def test_a_segment_that_is_gone_cannot_be_borrowed_from(pool, pixels, reader):
    pool.close()

    with pytest.raises(SharedMemoryError, match="is not there"):
        reader.borrow(pixels)


def test_what_was_mapped_stays_readable_when_its_owner_has_gone(pool, pixels, reader):
    reader.borrow(pixels)
    pool.close()

    assert reader.borrow(pixels).image.any()


def test_mappings_of_gone_segments_are_dropped_when_a_new_one_is_mapped(pool, pixels, reader):
    reader.borrow(pixels)
    pool.fit(100_000)
    pool.release(pixels.slot)
    assert mappings(pixels.slot.segment) == 1

    reader.borrow(Pixels((10,), pool.acquire()))

    assert mappings(pixels.slot.segment) == 0


def test_mappings_of_gone_segments_are_dropped_on_request(pool, pixels, reader):
    reader.borrow(pixels)
    reader.drop_gone()
    assert mappings(pixels.slot.segment) == 2, "the pool's and the reader's"

    pool.close()
    reader.drop_gone()

    assert mappings(pixels.slot.segment) == 0


def test_borrowed_images_outlive_the_reader_and_the_pool(pool, pixels, reader):
    borrowed = reader.borrow(pixels)
    row = borrowed.image[1]
    reader.close()
    pool.close()
    gc.collect()

    assert row.tolist() == (np.arange(18) + 18).reshape(6, 3).tolist()
    assert borrowed.is_current()
    del borrowed, row
    assert mappings(pixels.slot.segment) == 0


def test_a_closed_reader_may_be_used_again(pixels, reader):
    reader.borrow(pixels)
    reader.close()

    assert reader.borrow(pixels).image.any()


HOLDERS = {
    "the image": lambda image: image,
    "a view": lambda image: image[1:],
    "a view of a view": lambda image: image[1:][:, 2:][..., 0],
    "a reshaped view": lambda image: image.reshape(-1),
    "a frame": lambda image: Frame(image=image, seq=0, pts=0),
    "a frame of a crop": lambda image: Frame(image=image[1:2], seq=0, pts=0),
    "a buffer": memoryview,
    "an array of a buffer": lambda image: np.frombuffer(memoryview(image[2:]), np.uint8),
    "an array of another kind": lambda image: image.view(np.int8),
    "strides over it": lambda image: np.lib.stride_tricks.sliding_window_view(image, 2, axis=0),
    "a closure": lambda image: lambda: image,
}


@pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS.keys())
def test_a_borrowed_image_is_in_use_as_long_as_somebody_holds_it_or_a_view(pixels, reader, hold):
    borrowed = reader.borrow(pixels)
    assert not borrowed.in_use()

    held = hold(borrowed.image)
    assert borrowed.in_use()

    del held
    gc.collect()
    assert not borrowed.in_use()


def test_a_copy_does_not_keep_a_borrowed_image_in_use(pixels, reader):
    borrowed = reader.borrow(pixels)
    copies = [borrowed.copy(), borrowed.image[1:].copy(), borrowed.image + 1]

    assert not borrowed.in_use()
    del copies


def test_being_in_use_is_told_the_same_however_often_it_is_asked(pixels, reader):
    # The interpreter specialises code that runs often, and may count references differently then.
    borrowed = reader.borrow(pixels)
    assert not any(borrowed.in_use() for _ in range(10_000))
    held = borrowed.image[1:]
    assert all(borrowed.in_use() for _ in range(10_000))
    del held


def test_a_whole_image_is_located(pixels, reader):
    assert locate(reader.borrow(pixels).image, reader) == pixels


def test_a_contiguous_part_of_an_image_is_located_by_its_offset(pixels, reader):
    image = reader.borrow(pixels).image

    place = locate(image[1:3], reader)

    assert place == Pixels((2, 6, 3), pixels.slot, 18)
    assert (reader.borrow(place).image == image[1:3]).all()


def test_a_located_image_is_located_again_by_another_reader(pixels, reader):
    place = locate(reader.borrow(pixels).image.reshape(8, 9), reader)
    with SlotReader() as other:
        assert locate(other.borrow(place).image, other) == place


def test_an_image_in_an_output_slot_is_located(pool, pixels, reader):
    reader.borrow(pixels)
    ref = pool.acquire()

    assert locate(reader.writable(ref, (3, 3)), reader) == Pixels((3, 3), ref)


def test_images_in_many_segments_are_told_apart(prefix, reader):
    pools = [SlotPool(prefix, slots=3) for _ in range(5)]
    for pool in pools:
        pool.fit(4096)
    refs = [pool.acquire() for _ in range(3) for pool in pools]

    images = [reader.writable(ref, (64, 64)) for ref in refs]

    assert [locate(image, reader) for image in images] == [Pixels((64, 64), ref) for ref in refs]
    for pool in pools:
        pool.close()


@pytest.mark.parametrize(
    "make",
    [
        lambda image: image[:, 1:],
        lambda image: image[..., ::-1],
        lambda image: image[:0],
        lambda image: image.view(np.int8),
        lambda image: image.copy(),
    ],
    ids=["cut", "reversed", "empty", "of another type", "copied"],
)
def test_an_image_that_no_reference_can_name_is_not_located(pixels, reader, make):
    assert locate(make(reader.borrow(pixels).image), reader) is None


def test_an_image_from_elsewhere_is_not_located(pool, pixels, reader):
    foreign = np.zeros(SHAPE, np.uint8)
    assert locate(foreign, reader) is None
    reader.borrow(pixels)

    assert locate(foreign, reader) is None
    assert locate(pool.array(pixels.slot, SHAPE), reader) is None, "mapped, but not by this reader"
    with SlotReader() as other:
        assert locate(other.borrow(pixels).image, reader) is None


def test_ranges_beyond_a_slot_are_not_found(pixels, reader):
    borrowed = reader.borrow(pixels)
    start = borrowed.image.__array_interface__["data"][0]
    capacity = pixels.slot.capacity

    assert reader.find(start, capacity) == (pixels.slot, 0)
    assert reader.find(start, capacity + 1) is None
    assert reader.find(start - 1, 1) is None
    assert reader.find(start + capacity, 1) is None, "the next slot was never borrowed"
    assert reader.find(start + 2 * capacity, 1) is None, "the end of the segment"


def test_an_image_older_than_its_slot_is_located_as_what_can_no_longer_be_borrowed(
    pool, pixels, reader
):
    image = reader.borrow(pixels).image
    pool.release(pixels.slot)
    pool.acquire()

    with pytest.raises(StaleSlotError):
        reader.borrow(locate(image, reader))
