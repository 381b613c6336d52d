import gc
import os
import secrets
import stat
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import SharedMemoryError
from sightline.transport.segment import (
    Segment,
    free_bytes,
    required_bytes,
    segment_folder,
    unlink_segments,
)

MAPS = Path("/proc/self/maps")


@pytest.fixture
def name():
    name = f"sightline-test-{secrets.token_hex(6)}"
    yield name
    unlink_segments(name)


def test_what_the_owner_writes_others_read(name):
    owner = Segment.create(name, slots=3, slot_bytes=100)
    owner.view(1, (2, 5), writeable=True)[...] = 7
    owner.view(1, (10,), offset=5, writeable=True)[...] = 9

    other = Segment.attach(name)

    assert (other.slots, other.slot_bytes) == (3, owner.slot_bytes)
    assert other.view(1, (15,)).tolist() == [7] * 5 + [9] * 10
    assert not other.view(0, (other.slot_bytes,)).any()
    assert not other.view(2, (other.slot_bytes,)).any()


def test_slots_are_whole_pages_and_the_file_is_as_large_as_announced(name):
    segment = Segment.create(name, slots=1000, slot_bytes=1)
    status = (segment_folder() / name).stat()

    assert segment.slot_bytes == os.sysconf("SC_PAGESIZE")
    assert status.st_size == required_bytes(1000, 1)
    assert status.st_blocks * 512 >= status.st_size, "all of its memory is there from the start"
    assert segment.address % segment.slot_bytes == 0


def test_only_the_user_may_open_a_segment(name):
    Segment.create(name, slots=1, slot_bytes=1)

    assert stat.S_IMODE((segment_folder() / name).stat().st_mode) == 0o600


def test_generations_are_counted_by_the_owner_and_seen_by_all(name):
    owner = Segment.create(name, slots=2, slot_bytes=1)
    other = Segment.attach(name)

    assert [owner.bump(1), owner.bump(1), owner.bump(0)] == [1, 2, 1]
    assert [other.generation(0), other.generation(1)] == [1, 2]


def test_a_view_is_read_only_unless_asked_otherwise(name):
    segment = Segment.create(name, slots=1, slot_bytes=10)

    with pytest.raises(ValueError, match="read-only"):
        segment.view(0, (10,))[...] = 1


def test_views_outlive_the_segment_and_its_file(name):
    segment = Segment.create(name, slots=1, slot_bytes=10)
    view = segment.view(0, (10,), writeable=True)
    view[...] = 3

    segment.unlink()
    segment.close()
    del segment
    gc.collect()

    view += 1
    assert view.tolist() == [4] * 10


def test_the_mapping_goes_with_the_last_view(name):
    segment = Segment.create(name, slots=1, slot_bytes=10)
    view = segment.view(0, (10,))
    segment.close()

    assert name in MAPS.read_text(encoding="ascii")
    del view
    assert name not in MAPS.read_text(encoding="ascii")


@pytest.mark.parametrize(
    ("index", "shape", "offset"),
    [
        (-1, (1,), 0),
        (2, (1,), 0),
        (0, (4097,), 0),
        (0, (4096,), 1),
        (0, (1,), -1),
        (0, (-1, -1), 0),
        (0, (2**40, 2**40), 0),
    ],
)
def test_nothing_outside_a_slot_is_shown(name, index, shape, offset):
    segment = Segment.create(name, slots=2, slot_bytes=4096)

    with pytest.raises(SharedMemoryError, match=name):
        segment.view(index, shape, offset=offset)


def test_a_slot_that_is_not_there_has_no_generation(name):
    segment = Segment.create(name, slots=2, slot_bytes=1)

    for index in (-1, 2):
        with pytest.raises(SharedMemoryError, match=f"has 2 slots, no slot {index}"):
            segment.generation(index)


def test_a_closed_segment_shows_nothing(name):
    segment = Segment.create(name, slots=2, slot_bytes=1)
    segment.close()

    with pytest.raises(SharedMemoryError):
        segment.view(0, (1,))
    with pytest.raises(SharedMemoryError):
        segment.generation(0)


def test_too_little_shared_memory_is_reported_with_the_figure_needed(name):
    slot_bytes = free_bytes() // 4 + 1

    with pytest.raises(SharedMemoryError) as caught:
        Segment.create(name, slots=4, slot_bytes=slot_bytes)

    assert f"need {required_bytes(4, slot_bytes):,} bytes" in str(caught.value)
    assert str(segment_folder()) in str(caught.value)
    for advice in ("fewer handlers", "--window-bytes", "--shm-size"):
        assert advice in str(caught.value)
    assert not (segment_folder() / name).exists()


def test_too_little_shared_memory_is_reported_with_what_the_run_holds_already(monkeypatch):
    run = f"sightline-{secrets.token_hex(6)}"
    try:
        held = [Segment.create(f"{run}-{n}", slots=4, slot_bytes=5000) for n in ("a-in", "a-out")]
        monkeypatch.setattr("sightline.transport.segment.free_bytes", lambda: 1000)
        with pytest.raises(SharedMemoryError) as caught:
            Segment.create(f"{run}-b-in", slots=8, slot_bytes=5000)
    finally:
        unlink_segments(run)

    held_bytes = len(held) * required_bytes(4, 5000)
    expected = f"1,000 are free in {segment_folder()} beside {held_bytes:,} that the streams of"
    assert expected in str(caught.value)


def test_shared_memory_that_is_taken_in_between_is_reported_the_same(name, monkeypatch):
    figures = os.statvfs(segment_folder())
    monkeypatch.setattr("sightline.transport.segment.free_bytes", lambda: 2**62)

    with pytest.raises(SharedMemoryError, match="bytes of shared memory"):
        Segment.create(name, slots=1, slot_bytes=figures.f_blocks * figures.f_frsize + 1)

    assert not (segment_folder() / name).exists()


def test_no_segment_replaces_another(name):
    Segment.create(name, slots=1, slot_bytes=1)

    with pytest.raises(SharedMemoryError, match="exists"):
        Segment.create(name, slots=1, slot_bytes=1)


def test_a_segment_that_is_gone_cannot_be_attached_to(name):
    Segment.create(name, slots=1, slot_bytes=1).unlink()

    with pytest.raises(SharedMemoryError, match="is not there"):
        Segment.attach(name)


@pytest.mark.parametrize("bad", ["", "other", "sightline-", "sightline-../../etc/passwd", "a/b"])
def test_a_name_leads_nowhere_but_to_a_segment(bad):
    with pytest.raises(SharedMemoryError, match="cannot be the name"):
        Segment.attach(bad)


@pytest.mark.parametrize(
    "content", [b"", b"short", b"another file that is long enough to hold a header" * 100]
)
def test_a_file_that_is_no_segment_is_refused(name, content):
    (segment_folder() / name).write_bytes(content)

    with pytest.raises(SharedMemoryError, match="is not a shared memory segment"):
        Segment.attach(name)


def test_a_segment_that_was_cut_short_is_refused(name):
    segment = Segment.create(name, slots=2, slot_bytes=4096)
    os.truncate(segment_folder() / name, required_bytes(2, 4096) - 1)
    segment.close()

    with pytest.raises(SharedMemoryError, match="is not a shared memory segment"):
        Segment.attach(name)


def test_a_link_is_not_followed(name):
    (segment_folder() / name).symlink_to("/etc/passwd")

    with pytest.raises(SharedMemoryError, match="cannot be used"):
        Segment.attach(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of other users")
def test_the_segment_of_another_user_is_refused(name):
    Segment.create(name, slots=1, slot_bytes=1)
    os.chown(segment_folder() / name, 12345, 12345)

    with pytest.raises(SharedMemoryError, match="belongs to another user"):
        Segment.attach(name)


def test_segments_are_removed_by_prefix_and_no_others(name):
    for end in ("-a", "-b", "b-a"):
        Segment.create(name + end, slots=1, slot_bytes=1)

    assert sorted(unlink_segments(f"{name}-")) == [f"{name}-a", f"{name}-b"]
    assert unlink_segments(f"{name}-") == []
    assert (segment_folder() / f"{name}b-a").exists()


@pytest.mark.parametrize(("slots", "slot_bytes"), [(0, 1), (1, 0)])
def test_a_segment_without_slots_or_bytes_makes_no_sense(name, slots, slot_bytes):
    with pytest.raises(ValueError, match="1 or more"):
        Segment.create(name, slots=slots, slot_bytes=slot_bytes)


def test_views_of_views_have_the_view_as_their_base(name):
    view = Segment.create(name, slots=1, slot_bytes=100).view(0, (10, 10))

    assert view[2:][3:, ::2].reshape(-1).base is not None
    assert view[2:][3:, ::2].base is view
    assert np.asarray(view) is view
