"""Temporary storage by track."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.sinks.spool import TrackSpool

ENTRIES = st.lists(st.lists(st.tuples(st.integers(-5, 2**40), st.text(max_size=5)), max_size=5))


@settings(deadline=None, max_examples=30)
@given(batches=ENTRIES)
def test_entries_come_back_by_track_and_within_a_track_as_they_came(tmp_path_factory, batches):
    spool = TrackSpool(tmp_path_factory.getbasetemp())
    for batch in batches:
        spool.add(batch)
    everything = [entry for batch in batches for entry in batch]
    assert list(spool.read()) == sorted(everything, key=lambda entry: entry[0])
    spool.close()


def test_its_file_has_no_name(tmp_path):
    spool = TrackSpool(tmp_path)
    spool.add([(1, "x" * 10_000_000)])
    assert list(tmp_path.iterdir()) == []
    spool.close()


def test_errors_of_the_database_are_errors_of_the_system(tmp_path):
    spool = TrackSpool(tmp_path)
    spool.close()
    with pytest.raises(OSError, match="closed database"):
        spool.add([(1, "x")])
    with pytest.raises(OSError, match="nowhere"):
        TrackSpool(tmp_path / "nowhere")
