"""Dividing the frames of an index: every frame in one span, whatever the video is like."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import MediaError
from sightline.jobs.chunking import ChunkSizes, spans_of
from sightline.media.index import FrameIndex, Packets, arrange

TICKS = Fraction(1, 1000)


@st.composite
def indexes(draw):
    """An index of a video with irregular timestamps and entry points."""
    gaps = draw(st.lists(st.integers(1, 200), min_size=1, max_size=400))
    frames = draw(st.integers(-500, 500)) + np.cumsum(gaps)
    entries = draw(st.sets(st.sampled_from(frames.tolist()), max_size=40))
    return FrameIndex(
        time_base=TICKS,
        packets=len(frames),
        frames=frames,
        entries=np.array(sorted(entries), np.int64),
    )


sizes = st.builds(
    ChunkSizes,
    target_s=st.floats(0.1, 60),
    workers=st.integers(1, 16),
    most=st.integers(1, 50),
)


def owned(index, span):
    """The frames that a span owns."""
    begin = index.frames[0] if span.begin_pts is None else span.begin_pts
    end = index.frames[-1] + 1 if span.end_pts is None else span.end_pts
    return [pts for pts in index.frames.tolist() if begin <= pts < end]


def plan(index, *, start_s=0.0, end_s=None, sizes=None):
    return spans_of(index, start_s=start_s, end_s=end_s, sizes=sizes or ChunkSizes())


@given(index=indexes(), sizes=sizes)
def test_every_frame_belongs_to_one_span_and_every_span_has_frames(index, sizes):
    spans = plan(index, sizes=sizes)
    parts = [owned(index, span) for span in spans]
    assert list(chain(*parts)) == index.frames.tolist()
    assert [span.frames for span in spans] == [len(part) for part in parts]
    assert all(parts)
    assert len(spans) <= sizes.most


@given(index=indexes(), sizes=sizes, start_s=st.floats(0, 20), length_s=st.floats(0.001, 20))
def test_a_range_has_the_frames_between_its_times(index, sizes, start_s, length_s):
    end_s = start_s + length_s
    origin = index.frames[0]
    wanted = [p for p in index.frames.tolist() if start_s * 1000 <= p - origin < end_s * 1000]
    if not wanted:
        with pytest.raises(MediaError):
            plan(index, start_s=start_s, end_s=end_s, sizes=sizes)
        return
    spans = plan(index, start_s=start_s, end_s=end_s, sizes=sizes)
    assert sum(span.frames for span in spans) == len(wanted)
    if len(spans) > 1:
        assert list(chain(*(owned(index, span) for span in spans))) == wanted


@given(index=indexes(), sizes=sizes)
def test_decoding_starts_at_the_last_entry_point_and_not_far_before_the_span(index, sizes):
    for span in plan(index, sizes=sizes)[1:]:
        earlier = index.entries[index.entries <= span.begin_pts]
        assert span.seek_pts == (earlier[-1] if len(earlier) else None)
        seek = index.frames[0] if span.seek_pts is None else span.seek_pts
        in_vain = np.count_nonzero((index.frames >= seek) & (index.frames < span.begin_pts))
        assert in_vain <= 750


@given(index=indexes(), sizes=sizes)
def test_no_more_is_decoded_in_vain_than_all_frames_once(index, sizes):
    spans = plan(index, sizes=sizes)
    in_vain = 0
    for span in spans[1:]:
        seek = index.frames[0] if span.seek_pts is None else span.seek_pts
        in_vain += np.count_nonzero((index.frames >= seek) & (index.frames < span.begin_pts))
    assert in_vain <= len(index.frames)


def regular(count, *, keys):
    frames = np.arange(count) * 40
    return FrameIndex(time_base=TICKS, packets=count, frames=frames, entries=frames[::keys])


def test_each_worker_gets_four_chunks_of_a_video_of_some_length():
    lengths = [span.frames for span in plan(regular(800, keys=25), sizes=ChunkSizes(workers=2))]
    assert lengths == [100] * 8


def test_groups_that_do_not_fit_the_number_of_chunks_are_shared_evenly_all_the_same():
    lengths = [span.frames for span in plan(regular(800, keys=80), sizes=ChunkSizes(workers=2))]
    assert lengths == [80] * 10
    few = [span.frames for span in plan(regular(800, keys=80), sizes=ChunkSizes(workers=2, most=8))]
    assert len(few) == 8


def test_no_evenness_is_worth_chunks_of_fewer_frames_than_are_worth_opening_the_video_for():
    lengths = [span.frames for span in plan(regular(60, keys=12), sizes=ChunkSizes(workers=4))]
    assert len(lengths) <= 60 // 16


def test_a_short_video_with_one_key_frame_is_shared_by_two():
    spans = plan(regular(100, keys=1000))
    assert [(span.frames, span.begin_pts, span.seek_pts) for span in spans] == [
        (50, None, None),
        (50, 2000, 0),
    ]


def test_a_few_frames_are_one_chunk_without_bounds():
    (span,) = plan(regular(20, keys=1))
    assert (span.begin_pts, span.end_pts, span.seek_pts, span.frames) == (None, None, None, 20)


def test_long_videos_have_chunks_of_the_target_length():
    spans = plan(regular(90_000, keys=250), sizes=ChunkSizes(target_s=60, workers=2))
    assert len(spans) == 60
    assert max(span.frames for span in spans) <= 1750


def test_a_group_of_pictures_that_takes_long_to_decode_is_not_cut():
    assert len(plan(regular(4000, keys=10_000))) == 1


def test_a_doubtful_video_is_one_chunk_of_as_many_frames_as_packets():
    index = FrameIndex(time_base=TICKS, packets=300, doubt="it is odd")
    (span,) = plan(index)
    assert (span.begin_pts, span.frames) == (None, 300)
    assert plan(index, start_s=1)[0].frames is None


@pytest.mark.parametrize("wrong", [{"target_s": 0}, {"workers": 0}, {"most": 0}])
def test_sizes_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="chunk sizes must be positive"):
        ChunkSizes(**wrong)


def packets(*described):
    """Packets of (pts, marks): k for a key frame, h for hidden."""
    return Packets(
        pts=[pts for pts, _ in described],
        entry=["k" in marks for _, marks in described],
        hidden=["h" in marks for _, marks in described],
    )


def test_an_index_lists_frames_as_they_are_shown_and_where_decoding_can_start():
    stream = packets((0, "k"), (3, ""), (1, ""), (2, ""), (6, "k"), (4, ""), (5, ""), (7, ""))
    index = arrange(stream, first=[0, 1, 2], time_base=TICKS)
    assert index.doubt is None
    assert index.frames.tolist() == list(range(8))
    assert index.entries.tolist() == [0, 6]


def test_a_key_frame_that_is_shown_before_what_was_decoded_before_is_no_entry_point():
    index = arrange(packets((0, "k"), (5, ""), (4, "k"), (6, "")), first=[0], time_base=TICKS)
    assert index.entries.tolist() == [0]


def test_what_is_shown_before_the_first_frame_that_can_be_decoded_is_left_out():
    index = arrange(packets((2, "k"), (0, ""), (1, ""), (3, "")), first=[2, 3], time_base=TICKS)
    assert index.frames.tolist() == [2, 3]


@pytest.mark.parametrize(
    ("stream", "first", "doubt"),
    [
        (packets((0, "k"), (1, ""), (1, "k")), [0], "some of its frames have the same timestamp"),
        (Packets(pts=[0], entry=[True], hidden=[False], untimed=1), [0], "have no timestamp"),
        (Packets(pts=[0], entry=[True], hidden=[False], damaged=True), [0], "is damaged"),
        (packets((0, "k"), (1, "h"), (2, "")), [0], "an edit list hides frames between others"),
        (packets((0, "k"), (1, ""), (2, "")), [0, 7], "with other timestamps than its packets"),
        (
            packets(*[(t + 500, "k") for t in range(50)], *[(t, "k") for t in range(50)]),
            [500],
            "its timestamps step back",
        ),
    ],
)
def test_whatever_speaks_against_sections_is_named(stream, first, doubt):
    index = arrange(stream, first=first, time_base=TICKS)
    assert doubt in index.doubt
    assert not len(index.frames)
