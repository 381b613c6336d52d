"""Pixels are right wherever they are looked at: kept by sinks and stages, and of any size."""

import numpy as np
import pytest
from tests.graph_stages import (
    Boxes,
    Crop,
    Flip,
    Growing,
    Hoard,
    Keep,
    Measure,
    Numbered,
    Previous,
    Read,
    Renew,
    Resizing,
    Wait,
    number_of,
    numbered,
)
from tests.graph_witness import ListSinks, Notes, outcomes, segments_of, until

import sightline as sl
from sightline.errors import GraphError, SharedMemoryError
from sightline.pipeline.per_object import PerObject
from sightline.pipeline.stream_spec import StreamSpec
from sightline.transport.segment import free_bytes

STAGES = {
    "given": [Read()],
    "granted": [Renew()],
    "own": [Renew(granted=False)],
    "in order": [Previous()],
    "all": [Renew(), Renew(granted=False), Read(), Previous()],
}


@pytest.mark.parametrize("stages", STAGES.values(), ids=STAGES)
def test_frames_that_a_sink_keeps_keep_their_pixels(graphs, stages):
    sinks = ListSinks()
    graphs.run(stages, [Numbered("a", 60), Numbered("b", 60)], [sinks])

    for name in "ab":
        assert [number_of(frame.image) for frame in sinks.streams[name].frames] == list(range(60))


def test_a_window_of_one_frame_suffices_for_a_sink_that_keeps_all(graphs):
    sinks = ListSinks()
    graphs.run([Renew()], [Numbered("a", 60)], [sinks], window_bytes=2 * 48 * 64 * 3)

    assert [number_of(frame.image) for frame in sinks.streams["a"].frames] == list(range(60))


@pytest.mark.parametrize("live", [False, True])
def test_the_window_bounds_memory_when_frames_grow(graphs, tmp_path, live):
    notes, peak, window = Notes(), 0, 5 * 480 * 640 * 3  # outputs included
    flag = tmp_path / "flag"
    source = StreamSpec(Growing(5, flag, live=live, count=200), rate=100)
    with graphs.start([Renew(), Read()], [source], [notes], window_bytes=window) as run:
        until(lambda: notes.streams and notes.seqs("numbers"))
        flag.touch()
        while not run.wait(0.002):
            peak = max(peak, sum(segments_of(run).values()))
    assert 0.5 * window < peak < 1.01 * window
    stream = run.report.streams["numbers"]
    assert stream.admitted == outcomes(stream) == 200
    assert all(seq == shown == data["read"] for seq, shown, data in notes.streams["numbers"].lines)
    assert live or notes.seqs("numbers") == list(range(200))


def test_a_stream_ends_when_the_window_does_not_hold_its_frames_any_more(graphs):
    notes = Notes()
    report = graphs.run([Read()], [Growing(40)], [notes], window_bytes=500_000)
    assert "window_bytes=500000 holds no frame" in str(report.streams["numbers"].error)
    assert notes.seqs("numbers") == list(range(40))


def test_a_stage_in_order_may_keep_the_image_before(graphs):
    notes = Notes()
    graphs.run([Renew(), Previous()], [Numbered("a", 80)], [notes])

    assert [data["previous"] for data in notes.data("a")] == [None, *range(79)]


def test_a_stage_in_order_may_keep_the_image_of_a_frame_that_fails_later(graphs):
    """The frame never comes back to its lane, which would have noticed."""
    notes = Notes()
    report = graphs.run(
        [Boxes(), Keep(22), PerObject(Measure(fail=22))],
        [Numbered("a", 120)],
        [notes],
        handlers=1,
    )

    assert [failure.seq for failure in report.streams["a"].run.failed] == [22]
    assert [data["kept"] for data in notes.data("a")] == [None] * 22 + [22] * 97


@pytest.mark.parametrize("start", [0, 15])
@pytest.mark.parametrize("before", [[], [Renew()]], ids=["given", "granted"])
@pytest.mark.parametrize("window", [None, 2 * 48 * 64 * 3], ids=["usual", "one frame"])
def test_a_stage_on_a_handler_may_keep_images_from_any_frame_on(graphs, start, before, window):
    notes = Notes()
    report = graphs.run(
        [*before, Hoard(start), Read()],
        [Numbered("a", 120)],
        [notes],
        handlers=2,
        window_bytes=window,
    )

    assert notes.seqs("a") == list(range(120))
    assert [data["changed"] for data in notes.data("a")] == [[]] * 120
    assert [data["read"] for data in notes.data("a")] == list(range(120))
    assert report.handler_restarts == 0


@pytest.mark.parametrize("stages", STAGES.values(), ids=STAGES)
def test_frames_may_change_in_size_and_from_colour_to_gray(graphs, stages):
    notes, sinks = Notes(), ListSinks()
    report = graphs.run(stages, [Resizing("a", 150)], [notes, sinks])

    assert [shown for _, shown, _ in notes.streams["a"].lines] == list(range(150))
    shapes = [frame.image.shape for frame in sinks.streams["a"].frames]
    assert shapes == [Resizing("a").shape_of(seq) for seq in range(150)]
    assert report.complete


def test_the_window_bounds_the_shared_memory_of_a_stream(graphs, tmp_path):
    frame_bytes = 240 * 320 * 3
    run = graphs.start(
        [Renew(), Wait(tmp_path / "flag")],
        [Numbered("a", 100, shape=(240, 320, 3))],
        handlers=8,
        window_bytes=7 * frame_bytes,
    )
    until(lambda: run.stats()["under_way"].get("a") == 3)
    assert run.stats()["window"]["a"] == 3  # each with the image that is made of it
    assert 6 * frame_bytes <= sum(segments_of(run).values()) < 7 * frame_bytes
    (tmp_path / "flag").touch()
    assert run.wait(60)


def test_a_window_too_small_for_a_frame_is_refused_before_anything_is_written(graphs, tmp_path):
    with (
        pytest.raises(GraphError, match=r"window_bytes=1000 holds no frame .* needs 18432 bytes"),
        graphs.start(
            [Renew()], [Numbered("a")], [sl.MotFile(tmp_path / "mot.txt")], window_bytes=1000
        ) as run,
    ):
        run.wait(60)

    assert list(tmp_path.iterdir()) == []


def test_too_little_shared_memory_is_refused_with_the_figure_before_anything_is_written(
    graphs, tmp_path
):
    source = Numbered("large", 5)
    side = int((free_bytes() // 3) ** 0.5)
    object.__setattr__(source.info, "width", side)
    object.__setattr__(source.info, "height", side)
    sinks = [sl.MotFile(tmp_path / "{stream}.txt")]
    with (
        pytest.raises(SharedMemoryError, match=r"need [\d,]+ bytes of shared memory, but [\d,]+"),
        graphs.start([Read()], [Numbered("small", 5), source], sinks) as run,
    ):
        run.wait(60)

    assert list(tmp_path.iterdir()) == []


def test_images_without_their_own_memory_arrive_as_they_look(graphs):
    sinks = ListSinks()
    graphs.run([Flip(), Crop()], [Numbered("a", 40)], [sinks])

    for seq, frame in enumerate(sinks.streams["a"].frames):
        expected = numbered(seq)[::-1][8:40]
        np.testing.assert_array_equal(frame.image, expected)
