"""Temporary storage by track."""

from operator import itemgetter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.sinks.spool import TrackSpool

ENTRIES = st.lists(st.tuples(st.integers(-5, 2**40), st.text(max_size=5)))


@settings(deadline=None, max_examples=30)
@given(entries=ENTRIES)
def test_entries_come_back_by_track_and_within_a_track_as_they_came(tmp_path_factory, entries):
    assert read_back(tmp_path_factory.getbasetemp(), entries) == joined(entries)


def test_order_survives_when_there_are_more_entries_than_memory_holds(tmp_path):
    entries = [(number % 7, str(number)) for number in range(20_000)]
    assert read_back(tmp_path, entries) == joined(entries)


def read_back(folder, entries):
    spool = TrackSpool(folder)
    for track_id, entry in entries:
        spool.add(track_id, entry)
    parts = list(spool.read())
    spool.close()
    assert parts == sorted(parts, key=itemgetter(0))
    return joined(parts)


def joined(entries):
    tracks = {}
    for track_id, entry in entries:
        tracks.setdefault(track_id, []).append(entry)
    return [(track_id, ",".join(tracks[track_id])) for track_id in sorted(tracks)]


def test_its_file_has_no_name(tmp_path):
    spool = TrackSpool(tmp_path)
    spool.add(1, "x" * 10_000_000)
    assert [len(text) for _, text in spool.read()] == [10_000_000]
    assert list(tmp_path.iterdir()) == []
    spool.close()


def test_errors_of_the_database_are_errors_of_the_system(tmp_path):
    spool = TrackSpool(tmp_path)
    spool.close()
    with pytest.raises(OSError, match="closed database"):
        next(spool.read())
    with pytest.raises(OSError, match="nowhere"):
        TrackSpool(tmp_path / "nowhere")
