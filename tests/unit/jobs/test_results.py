"""The index of results: what is written is what is read, in pages whose cost does not grow."""

import re
import sqlite3
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.detections import UNTRACKED, Detections
from sightline.errors import FormatError, OutputError
from sightline.frame import Frame
from sightline.jobs import results, results_index
from sightline.jobs.result_rows import CursorError, DetectionQuery
from sightline.jobs.results import ResultsReader
from sightline.jobs.results_index import IndexFile
from sightline.sinks.values import objects_of, time_of
from sightline.stream import StreamInfo

STREAM = StreamInfo(name="street", width=64, height=48, time_base=Fraction(1, 25))
NAMES = ("person", "car", "bicycle")


def make_frame(seq, *, objects, seed=0, size=(48, 64)):
    """Make a frame with objects of all classes, some of them on tracks."""
    random = np.random.default_rng((seed, seq))
    detections = Detections(
        xyxy=random.uniform(-5, 60, (objects, 4)),
        confidence=random.uniform(0, 1, objects),
        class_id=random.integers(0, len(NAMES), objects),
        track_id=random.choice([UNTRACKED, 1, 2, 5, 9], objects),
        class_names=NAMES,
    )
    image = np.zeros((*size, 3), np.uint8)
    return Frame(
        image=image, seq=seq, pts=2 * seq, time_base=STREAM.time_base, detections=detections
    )


@pytest.fixture
def index(tmp_path, monkeypatch):
    """An index that is open; the test may close it. It commits when there is much, or told to."""
    monkeypatch.setattr(results_index, "_COMMIT_EVERY_S", np.inf)
    made = IndexFile(tmp_path / "results.sqlite")
    made.open(STREAM)
    yield made
    made.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A path, and the frames that lie there; some numbers are missing."""
    path = tmp_path_factory.mktemp("filled") / "results.sqlite"
    frames = tuple(make_frame(seq, objects=seq % 5) for seq in range(120) if seq % 7)
    made = IndexFile(path)
    made.open(STREAM)
    for frame in frames:
        made.write(frame)
    made.close()
    return path, frames


@lru_cache
def all_detections(frames):
    return [
        (frame.seq, time_of(frame), tuple(found.xyxy), *found[1:])
        for frame in frames
        for found in objects_of(frame)
    ]


def expected_detections(frames, query):
    return [
        (seq, time_s, xyxy, confidence, class_id, name, track_id)
        for seq, time_s, xyxy, confidence, class_id, name, track_id in all_detections(frames)
        if (query.from_s is None or time_s >= query.from_s)
        and (query.to_s is None or time_s < query.to_s)
        and (not query.classes or name in query.classes)
        and (query.track_id is None or track_id == query.track_id)
        and confidence >= query.min_confidence
    ]


def pages(read, limit):
    """Read page after page to the end."""
    rows, after, more = [], "", True
    while more:
        page = read(after=after, limit=limit)
        assert len(page.rows) <= limit
        rows += page.rows
        after, more = page.cursor, page.more
    return rows


def as_tuples(rows):
    return [tuple(getattr(row, name) for name in row.__slots__) for row in rows]


times = st.none() | st.floats(-1, 11, allow_nan=False)
queries = st.builds(
    DetectionQuery,
    from_s=times,
    to_s=times,
    classes=st.frozensets(st.sampled_from([*NAMES, "dog"])),
    min_confidence=st.floats(0, 1),
    track_id=st.none() | st.sampled_from([1, 5, 7, 1 << 70]),
)


@settings(max_examples=60)
@given(query=queries, limit=st.integers(1, 300), most=st.integers(1, 300))
def test_pages_of_detections_are_all_detections_in_order(filled, query, limit, most):
    path, frames = filled
    with pytest.MonkeyPatch.context() as patch, ResultsReader(path) as reader:
        patch.setattr(results, "_MOST_LOOKED_AT", max(limit, most))
        rows = pages(lambda **place: reader.detections(query, **place), limit)
    assert as_tuples(rows) == expected_detections(frames, query)


@settings(max_examples=40)
@given(from_s=times, to_s=times, limit=st.integers(1, 150))
def test_pages_of_frames_are_all_frames_in_order(filled, from_s, to_s, limit):
    path, frames = filled
    with ResultsReader(path) as reader:
        rows = pages(lambda **place: reader.frames(from_s=from_s, to_s=to_s, **place), limit)
    assert as_tuples(rows) == [
        (frame.seq, frame.pts, time_of(frame), 64, 48, len(frame.detections))
        for frame in frames
        if (from_s is None or time_of(frame) >= from_s) and (to_s is None or time_of(frame) < to_s)
    ]


@settings(max_examples=25)
@given(classes=st.frozensets(st.sampled_from(NAMES)), limit=st.integers(1, 5))
def test_tracks_sum_up_their_objects(filled, classes, limit):
    path, frames = filled
    with ResultsReader(path) as reader:
        rows = pages(lambda **place: reader.tracks(classes=classes, **place), limit)
    assert [row.track_id for row in rows] == [
        track_id
        for track_id in (1, 2, 5, 9)
        if not classes or first_class(frames, track_id) in classes
    ]
    for row in rows:
        seen = expected_detections(frames, DetectionQuery(track_id=row.track_id))
        confidences = [found[3] for found in seen]
        assert (row.first_seq, row.first_s, row.first_xyxy) == seen[0][:3]
        assert (row.last_seq, row.last_s, row.last_xyxy) == seen[-1][:3]
        assert (row.class_id, row.class_name) == seen[0][4:6]
        assert row.frames == len(seen)
        assert row.confidence_max == max(confidences)
        assert row.confidence_mean == pytest.approx(np.mean(confidences), abs=1e-4)


def first_class(frames, track_id):
    return expected_detections(frames, DetectionQuery(track_id=track_id))[0][5]


def test_positions_are_the_boxes_of_a_track(filled):
    path, frames = filled
    with ResultsReader(path) as reader:
        rows = pages(lambda **place: reader.positions(5, **place), 7)
        assert reader.positions(4).rows == []
    assert as_tuples(rows) == [
        found[:3] for found in expected_detections(frames, DetectionQuery(track_id=5))
    ]


@settings(max_examples=25)
@given(bins=st.integers(1, 200))
def test_counts_over_time_are_the_objects_of_the_frames_within(filled, bins):
    path, frames = filled
    with ResultsReader(path) as reader:
        counted = reader.counts(bins)
    assert len(counted) <= bins
    assert all(a.end_s == b.start_s for a, b in pairwise(counted))
    for part in counted:
        within = [f.seq for f in frames if part.start_s <= f.time_s < part.end_s]
        query = DetectionQuery(from_s=part.start_s, to_s=part.end_s)
        found = Counter((row[5], row[0]) for row in expected_detections(frames, query))
        assert part.frames == len(within)
        for name in NAMES:
            per_frame = [found[name, seq] for seq in within]
            assert part.objects.get(name, 0) == sum(per_frame)
            assert part.most.get(name, 0) == max(per_frame, default=0)
    assert sum(part.frames for part in counted) == len(frames)


PLANS_TO_TEST = {
    "frames": lambda reader, place: reader.frames(from_s=1, to_s=3, **place),
    "all": lambda reader, place: reader.detections(**place),
    "time": lambda reader, place: reader.detections(DetectionQuery(from_s=1, to_s=3), **place),
    "class": lambda reader, place: reader.detections(
        DetectionQuery(from_s=1, classes=frozenset({"car"})), **place
    ),
    "classes": lambda reader, place: reader.detections(
        DetectionQuery(classes=frozenset({"car", "person"})), **place
    ),
    "track": lambda reader, place: reader.detections(
        DetectionQuery(to_s=3, track_id=5, classes=frozenset({"car"})), **place
    ),
    "tracks": lambda reader, place: reader.tracks(**place),
    "tracks of a class": lambda reader, place: reader.tracks(
        classes=frozenset({"person"}), **place
    ),
    "positions": lambda reader, place: reader.positions(5, **place),
}


@pytest.mark.parametrize("name", PLANS_TO_TEST)
def test_a_page_walks_along_an_index_from_its_cursor(filled, name):
    path, _ = filled
    statements = []
    with ResultsReader(path) as reader:
        first = PLANS_TO_TEST[name](reader, {"limit": 2})
        reader._database.set_trace_callback(statements.append)
        PLANS_TO_TEST[name](reader, {"limit": 2, "after": first.cursor})
        reader._database.set_trace_callback(None)
        queries = [text for text in statements if text.lstrip().startswith("SELECT")]
        assert len(queries) >= 2
        for query in queries:
            if "FROM classes" in query:
                continue  # a handful of rows
            plan = [row[3] for row in reader._database.execute(f"EXPLAIN QUERY PLAN {query}")]
            assert all(re.match(r"SEARCH ", step) for step in plan), (query, plan)


def test_a_page_looks_at_a_bounded_number_of_rows(filled, monkeypatch):
    path, _ = filled
    monkeypatch.setattr(results, "_MOST_LOOKED_AT", 10)
    nothing = DetectionQuery(classes=frozenset({"car", "person"}), min_confidence=1.0)
    with ResultsReader(path) as reader:
        page = reader.detections(nothing, limit=3)
        assert (page.rows, page.more) == ([], True)
        assert page.cursor != ""


def test_a_cursor_goes_on_where_the_results_have_grown(index):
    for seq in range(3):
        index.write(make_frame(seq, objects=2))
    index.flush()
    with ResultsReader(index.path) as reader:
        page = reader.detections(limit=100)
        assert not page.more
        index.write(make_frame(3, objects=1))
        index.flush()
        new = reader.detections(after=page.cursor)
        assert [row.seq for row in new.rows] == [3]
        assert reader.detections(after=new.cursor).cursor == new.cursor


@pytest.mark.parametrize("cursor", ["x", "-1", "0x1", "1_0", "01", "A", " 1", "f" * 17, "٣"])
def test_what_is_no_cursor_is_refused(filled, cursor):
    with ResultsReader(filled[0]) as reader, pytest.raises(CursorError, match="cursor"):
        reader.detections(after=cursor)


@pytest.mark.parametrize("limit", [0, -1, 10_001])
def test_a_limit_out_of_range_is_refused(filled, limit):
    with ResultsReader(filled[0]) as reader, pytest.raises(ValueError, match="limit must be"):
        reader.tracks(limit=limit)


def test_frames_show_after_many_rows_or_some_time_without_a_flush(index, monkeypatch):
    index.write(make_frame(0, objects=0))
    with ResultsReader(index.path) as reader:
        assert reader.frames().rows == []
        index.write(make_frame(1, objects=10_000))
        assert len(reader.frames().rows) == 2
        monkeypatch.setattr(results_index, "_COMMIT_EVERY_S", 0)
        index.write(make_frame(2, objects=0))
        assert len(reader.frames().rows) == 3


def test_a_reader_sees_the_file_grow_and_never_half_a_commit(index):
    with ResultsReader(index.path) as reader:
        for seq in range(30):
            index.write(make_frame(seq, objects=3))
            if seq % 3 == 2:
                index.flush()
            seen = reader.frames().rows
            assert len(seen) == (seq + 1) // 3 * 3
            assert len(reader.detections(limit=1000).rows) == 3 * len(seen)


def test_the_folder_can_be_moved_under_a_reader_and_one_file_is_left(tmp_path):
    before, after = tmp_path / "final.t1", tmp_path / "results"
    index = IndexFile(before / "results.sqlite")
    index.open(STREAM)
    index.write(make_frame(0, objects=2))
    index.flush()
    with ResultsReader(index.path) as reader:
        index.close()
        before.rename(after)
        assert len(reader.frames().rows) == 1
    with ResultsReader(after / "results.sqlite") as reader:
        assert len(reader.detections().rows) == 2
    assert [path.name for path in after.iterdir()] == ["results.sqlite"]


def test_an_index_without_frames_is_empty(index):
    with ResultsReader(index.path) as reader:
        assert reader.frames().rows == reader.detections().rows == reader.tracks().rows == []
        assert reader.counts() == []


def test_discarding_leaves_nothing(index):
    index.write(make_frame(0, objects=1))
    index.discard()
    index.close()
    assert list(index.path.parent.iterdir()) == []


def test_an_index_that_is_there_is_replaced(index):
    index.write(make_frame(0, objects=1))
    index.close()
    index.open(STREAM)
    index.close()
    with ResultsReader(index.path) as reader:
        assert reader.frames().rows == []


def test_what_is_no_index_is_refused(tmp_path):
    with pytest.raises(FormatError, match="cannot read"):
        ResultsReader(tmp_path / "none")
    text = tmp_path / "text"
    text.write_text("no database" * 100)
    with pytest.raises(FormatError, match="cannot read"):
        ResultsReader(text)
    other = tmp_path / "other"
    sqlite3.connect(other).close()
    with pytest.raises(FormatError, match="no index of results"):
        ResultsReader(other)


def test_boxes_that_are_not_finite_and_files_that_cannot_be_written_are_errors(index, tmp_path):
    frame = make_frame(0, objects=1)
    endless = frame.detections.replace(xyxy=[[0, 0, np.inf, 1]])
    with pytest.raises(OutputError, match="not a finite number"):
        index.write(frame.replace(detections=endless))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        IndexFile(tmp_path / "file" / "results.sqlite").open(STREAM)


def test_a_full_disk_is_told_as_such(index):
    index._database.execute("PRAGMA max_page_count = 20")
    index.write(make_frame(0, objects=5000))
    with pytest.raises(OutputError, match="full") as caught:
        index.flush()
    assert caught.value.__cause__.errno == 28
    index.discard()


def test_sizes_and_negative_times_are_kept(index):
    small = make_frame(0, objects=0)
    index.write(small.replace(pts=-7))
    index.write(make_frame(1, objects=0, size=(10, 20)))
    index.close()
    with ResultsReader(index.path) as reader:
        rows = reader.frames().rows
        assert [(row.width, row.height) for row in rows] == [(64, 48), (20, 10)]
        assert rows[0].time_s == -0.28
        assert reader.counts(1)[0].start_s == -0.3


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flush_after=st.sets(st.integers(0, 59)))
def test_when_it_is_committed_makes_no_difference(tmp_path_factory, filled, flush_after):
    path = tmp_path_factory.mktemp("other") / "results.sqlite"
    made = IndexFile(path)
    made.open(STREAM)
    for seq, frame in enumerate(filled[1]):
        made.write(frame)
        if seq in flush_after:
            made.flush()
    made.close()
    with ResultsReader(path) as one, ResultsReader(filled[0]) as other:
        assert as_rounded(one.tracks().rows) == as_rounded(other.tracks().rows)
        assert one.counts(17) == other.counts(17)
        assert one.detections(limit=10_000) == other.detections(limit=10_000)


def as_rounded(tracks):
    """Sums of floats depend on the order in their last bits."""
    return [replace(track, confidence_mean=round(track.confidence_mean, 3)) for track in tracks]
