import secrets

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from sightline.errors import SharedMemoryError
from sightline.transport.messages import SlotRef
from sightline.transport.segment import Segment, free_bytes, segment_folder, unlink_segments
from sightline.transport.slot_pool import SlotPool


@pytest.fixture
def prefix():
    prefix = f"sightline-test-{secrets.token_hex(6)}-"
    yield prefix
    assert unlink_segments(prefix) == []


@pytest.fixture
def pool(prefix):
    with SlotPool(prefix, slots=2) as pool:
        yield pool


def segments(prefix):
    return {path.name for path in segment_folder().glob(f"{prefix}*")}


def test_slots_are_given_out_until_none_is_left(pool):
    pool.fit(100)

    first, second = pool.acquire(), pool.acquire()

    assert {first.index, second.index} == {0, 1}
    assert pool.acquire() is None
    assert pool.free == 0


def test_the_slot_released_last_is_the_next_one_of_a_new_generation(pool):
    pool.fit(100)
    first = pool.acquire()
    pool.acquire()
    pool.release(first)

    again = pool.acquire()

    assert (again.segment, again.index) == (first.segment, first.index)
    assert again.generation == first.generation + 1


def test_before_the_size_of_a_frame_is_known_there_is_no_slot(pool):
    with pytest.raises(ValueError, match="fit"):
        pool.acquire()


def test_a_lower_number_of_slots_holds_for_those_that_are_out_too(pool):
    pool.fit(100)
    first, second = pool.acquire(), pool.acquire()
    pool.lower(1)
    pool.lower(2)
    assert (pool.slots, pool.free) == (1, 0)
    pool.release(first)
    assert (pool.free, pool.acquire()) == (0, None)
    pool.release(second)
    assert pool.free == 1
    with pytest.raises(ValueError, match="1 or more"):
        pool.lower(0)


def test_larger_slots_need_no_more_memory_once_the_smaller_ones_are_back(pool, prefix):
    pool.fit(100)
    assert pool.holds(100)
    ref = pool.acquire()
    larger = ref.capacity + 1
    assert not pool.holds(larger)
    assert not pool.can_fit(larger)
    pool.release(ref)
    assert pool.can_fit(larger)
    pool.fit(larger)
    assert pool.holds(larger)
    assert len(segments(prefix)) == 1


def test_an_array_lies_in_the_slot(pool):
    pool.fit(6)
    ref = pool.acquire()

    pool.array(ref, (2, 3))[...] = 5

    assert Segment.attach(ref.segment).view(ref.index, (6,)).tolist() == [5] * 6
    with pytest.raises(SharedMemoryError):
        pool.array(ref, (ref.capacity + 1,))


def test_a_slot_released_twice_is_an_error(pool):
    pool.fit(100)
    ref = pool.acquire()
    pool.release(ref)

    with pytest.raises(ValueError, match="released before"):
        pool.release(ref)
    pool.acquire()
    with pytest.raises(ValueError, match="released before"):
        pool.release(ref)
    assert pool.free == 1


def test_a_slot_that_never_was_is_an_error(pool):
    pool.fit(100)

    with pytest.raises(ValueError, match="another pool"):
        pool.release(SlotRef("sightline-other", 0, 1, 4096))


def test_a_released_slot_can_no_longer_be_written_to(pool):
    pool.fit(100)
    ref = pool.acquire()
    pool.release(ref)

    with pytest.raises(ValueError, match="is not out"):
        pool.array(ref, (10,))


def test_smaller_frames_use_the_same_memory(pool, prefix):
    pool.fit(100_000)
    before = segments(prefix)
    pool.fit(10)

    assert segments(prefix) == before
    assert pool.acquire().capacity >= 100_000


def test_larger_frames_get_new_memory_and_the_old_goes_with_its_last_slot(pool, prefix):
    pool.fit(100)
    old = [pool.acquire(), pool.acquire()]
    pool.array(old[0], (100,))[...] = 1
    pool.fit(100_000)

    assert len(segments(prefix)) == 2
    assert pool.acquire() is None, "slots of the old size count"
    assert pool.array(old[0], (100,)).all(), "slots of the old size stay valid"

    pool.release(old[0])
    new = pool.acquire()
    assert new.capacity >= 100_000
    assert segments(prefix) == {old[0].segment, new.segment}

    pool.release(old[1])
    assert segments(prefix) == {new.segment}
    assert pool.free == 1


def test_memory_without_a_slot_out_goes_at_once(pool, prefix):
    pool.fit(100)
    pool.fit(100_000)

    assert len(segments(prefix)) == 1


def test_memory_that_cannot_be_had_is_an_error_and_slots_that_are_out_stay_valid(pool, prefix):
    pool.fit(100)
    ref = pool.acquire()

    with pytest.raises(SharedMemoryError, match="bytes of shared memory"):
        pool.fit(free_bytes())
    with pytest.raises(ValueError, match="no memory"):
        pool.acquire()

    assert pool.array(ref, (100,)).size == 100
    pool.fit(200)
    assert pool.acquire() is not None
    pool.release(ref)
    assert pool.free == 1


def test_closing_removes_all_memory_also_with_slots_out(pool, prefix):
    pool.fit(100)
    array = pool.array(pool.acquire(), (100,))
    pool.fit(100_000)
    pool.acquire()

    pool.close()
    pool.close()

    assert segments(prefix) == set()
    array[...] = 1


def test_a_pool_without_slots_makes_no_sense(prefix):
    with pytest.raises(ValueError, match="slots must be 1 or more"):
        SlotPool(prefix, slots=0)


class PoolMachine(RuleBasedStateMachine):
    """Whatever is called in whatever order, a slot is in one hand only, with its content."""

    refs = Bundle("refs")

    def __init__(self):
        super().__init__()
        self.prefix = f"sightline-test-{secrets.token_hex(6)}-"
        self.pool = SlotPool(self.prefix, slots=3)
        self.pool.fit(1)
        self.nbytes = 1
        self.contents = {}
        self.marks = 0

    def teardown(self):
        self.pool.close()
        assert unlink_segments(self.prefix) == []

    @rule(target=refs)
    def acquire(self):
        ref = self.pool.acquire()
        if ref is None:
            assert len(self.contents) == self.pool.slots
            return SlotRef(self.prefix, 0, 0, 0)
        assert (ref.segment, ref.index) not in {(r.segment, r.index) for r in self.contents}
        assert ref.capacity >= self.nbytes
        self.marks = self.marks % 255 + 1
        self.pool.array(ref, (self.nbytes,))[...] = self.marks
        self.contents[ref] = (self.nbytes, self.marks)
        return ref

    @rule(ref=consumes(refs))
    def release(self, ref):
        if self.contents.pop(ref, None) is not None:
            self.pool.release(ref)
        self.release_again(ref)

    @rule(ref=refs)
    def release_again(self, ref):
        if ref not in self.contents:
            with pytest.raises(ValueError, match="is not out"):
                self.pool.release(ref)

    @rule(nbytes=st.integers(1, 20_000))
    def fit(self, nbytes):
        self.pool.fit(nbytes)
        self.nbytes = nbytes

    @invariant()
    def every_slot_is_free_or_out(self):
        assert self.pool.free + len(self.contents) == self.pool.slots

    @invariant()
    def what_is_out_keeps_its_content(self):
        for ref, (nbytes, mark) in self.contents.items():
            assert (self.pool.array(ref, (nbytes,)) == mark).all()

    @invariant()
    def there_is_no_more_memory_than_is_needed(self):
        needed = {ref.segment for ref in self.contents}
        assert len(segments(self.prefix) - needed) <= 1


TestPool = PoolMachine.TestCase


def test_a_slot_that_is_forgone_is_never_written_to_again_and_another_takes_its_place(pool, prefix):
    pool.fit(100)
    kept, other = pool.acquire(), pool.acquire()
    image = pool.array(kept, (100,))
    image[...] = 7

    pool.forgo(kept)
    pool.fit(100)
    new = pool.acquire()
    pool.array(new, (100,))[...] = 9
    assert pool.acquire() is None
    pool.release(other)

    assert (image == 7).all()
    assert new.segment != kept.segment
    assert segments(prefix) == {new.segment}
    with pytest.raises(ValueError, match="is not out"):
        pool.forgo(kept)
