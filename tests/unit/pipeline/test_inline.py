"""The inline runner: order, outcomes, memory window, stopping, errors."""

import threading
import time
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import MediaError, ModelError, OutputError, PipelineError, StageError
from sightline.frame import Frame
from sightline.pipeline.inline import RunOptions, frames_in_window
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.stage import Stage
from sightline.scope import Scope
from sightline.testing.sink import ListSink
from sightline.testing.source import ListSource


class Discardable(ListSink):
    """Remembers that it was given up."""

    discarded = False

    def discard(self):
        super().discard()
        self.discarded = True


def images(count, size=(8, 12, 3)):
    return [np.full(size, i % 256, np.uint8) for i in range(count)]


def check_no_threads():
    assert not [t.name for t in threading.enumerate() if t.name.startswith("sightline")]


class Jitter(Stage):
    """Finishes frames out of order, as several threads allow it."""

    concurrency = 4

    def __init__(self):
        self.inside = 0
        self.most_inside = 0
        self._lock = threading.Lock()

    def process(self, frame):
        with self._lock:
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
        time.sleep(0.002 if frame.seq % 4 == 0 else 0)
        with self._lock:
            self.inside -= 1
        return frame


class Count(Stage):
    scope = Scope.STREAM

    def open(self):
        self.seen = []

    def process(self, frame):
        self.seen.append(frame.seq)
        return frame.replace(data={"count": len(self.seen)})


class Odd(Stage):
    def process(self, frame):
        return frame if frame.seq % 2 else None


class FailOn(Stage):
    def __init__(self, *numbers):
        self.numbers = numbers

    def process(self, frame):
        if frame.seq in self.numbers:
            raise ValueError(f"no luck with {frame.seq}")
        return frame


class Passing(Stage):
    def process(self, frame):
        return frame


def test_frames_keep_their_order_when_threads_finish_them_out_of_order():
    jitter = Jitter()
    sink = ListSink()
    report = Pipeline([jitter, Count()]).run(ListSource(images(200)), [sink])
    assert [frame.seq for frame in sink.frames] == list(range(200))
    assert [frame.data["count"] for frame in sink.frames] == list(range(1, 201))
    assert report.frames == 200
    assert report.complete
    assert 2 <= jitter.most_inside <= 4


def test_no_more_threads_are_inside_a_stage_than_it_allows():
    class Alone(Jitter):
        concurrency = 1

    wide, alone = Jitter(), Alone()
    Pipeline([wide, alone]).run(ListSource(images(100)))
    assert alone.most_inside == 1


def test_a_stream_stage_has_fresh_state_in_every_run():
    pipeline = Pipeline([Count()])
    for _ in range(2):
        sink = ListSink()
        pipeline.run(ListSource(images(5)), [sink])
        assert sink.frames[-1].data["count"] == 5
    assert not hasattr(pipeline.stages[0], "seen")


class Locked(Stage):
    """Holds from the start what cannot be copied."""

    scope = Scope.STREAM

    def __init__(self):
        self.lock = threading.Lock()

    def process(self, frame):
        return frame


def test_a_stream_stage_that_cannot_be_copied_is_refused_with_what_to_do():
    source, sink = ListSource(images(3)), Discardable()
    message = r"stage 'locked' cannot be copied .* cannot pickle .*lock.* make .* in open\(\)"
    with pytest.raises(PipelineError, match=message):
        Pipeline([Locked()]).run(source, [sink])
    assert source.closed
    assert sink.discarded


def test_a_stage_that_cannot_describe_itself_leaves_no_source_open():
    class Shy(Passing):
        def describe(self):
            raise ValueError("no words")

    source = ListSource(images(3))
    with pytest.raises(ValueError, match="no words"):
        Pipeline([Shy()]).run(source)
    assert source.closed


def test_dropped_frames_are_counted_by_stage_and_reach_no_later_stage():
    sink = ListSink()
    report = Pipeline([Odd(), Count()]).run(ListSource(images(10)), [sink])
    assert [frame.seq for frame in sink.frames] == [1, 3, 5, 7, 9]
    assert report.dropped == {"odd": 5}
    assert report.complete


def test_stages_of_one_name_are_told_apart():
    report = Pipeline([Passing(), Odd(), Odd()]).run(ListSource(images(4)))
    assert report.dropped == {"odd": 2}
    assert list(report.steps.as_dict()) == ["read", "passing", "odd", "odd-2"]


def test_a_failing_stage_ends_the_run_and_leaves_the_finished_frames():
    sink = ListSink()
    with pytest.raises(StageError, match="'failon' failed on frame 3: ValueError: no luck") as info:
        Pipeline([FailOn(3)]).run(ListSource(images(10)), [sink])
    assert info.value.seq == 3
    assert isinstance(info.value.__cause__, ValueError)
    assert [frame.seq for frame in sink.frames] == [0, 1, 2]
    assert not sink.is_open


def test_failures_within_the_allowance_are_recorded_and_skipped():
    sink = ListSink()
    report = Pipeline([FailOn(2, 5), Count()]).run(
        ListSource(images(8)), [sink], options=RunOptions(max_failures=2)
    )
    assert [frame.seq for frame in sink.frames] == [0, 1, 3, 4, 6, 7]
    assert [(failure.seq, failure.stage) for failure in report.failed] == [
        (2, "failon"),
        (5, "failon"),
    ]
    assert "no luck with 2" in report.failed[0].traceback
    assert not report.complete


def test_an_error_before_the_first_frame_discards_the_outputs():
    sink = Discardable()
    with pytest.raises(StageError):
        Pipeline([FailOn(0)]).run(ListSource(images(3)), [sink])
    assert sink.discarded


def test_a_source_that_fails_raises_in_the_caller_after_the_frames_before():
    class Breaking(ListSource):
        def frames(self):
            yield from super().frames()
            raise MediaError("the cable is out")

    sink = ListSink()
    with pytest.raises(MediaError, match="cable"):
        Pipeline([Passing()]).run(Breaking(images(3)), [sink])
    assert len(sink.frames) == 3
    assert not sink.is_open


@pytest.mark.parametrize(
    "thing", [None, [1], np.zeros((8, 12, 3), np.uint8)], ids=["None", "list", "array"]
)
def test_a_source_that_yields_what_is_no_frame_fails_instead_of_ending(thing):
    class Odd(ListSource):
        def frames(self):
            yield from super().frames()
            yield thing
            yield from super().frames()

    sink = ListSink()
    message = f"source 'list' yielded {type(thing).__name__}, not a frame"
    with pytest.raises(MediaError, match=message):
        Pipeline([Passing()]).run(Odd(images(3)), [sink])
    assert len(sink.frames) == 3


class RaisingSource(ListSource):
    """Raises at one moment: when it is asked for frames, after five of them, or when closed."""

    def __init__(self, moment, raised):
        super().__init__(images(20))
        self.moment, self.raised = moment, raised

    def frames(self):
        self.meet("begin")
        return self.five()

    def five(self):
        yield from islice(super().frames(), 5)
        self.meet("frames")

    def close(self):
        super().close()
        self.meet("close")

    def meet(self, moment):
        if moment == self.moment:
            raise self.raised


RAISED = [SystemExit(3), KeyboardInterrupt(3), GeneratorExit(3)]


@pytest.mark.parametrize("raised", RAISED, ids=repr)
@pytest.mark.parametrize(("moment", "frames"), [("begin", 0), ("frames", 5)])
def test_a_source_that_ends_the_thread_of_the_reader_ends_the_run_as_an_error_does(
    raised, moment, frames
):
    sink = Discardable()
    message = f"{type(raised).__name__} was raised by source 'list': 3"
    with pytest.raises(MediaError, match=message) as info:
        Pipeline([Passing()]).run(RaisingSource(moment, raised), [sink])
    assert info.value.__cause__ is raised
    assert len(sink.frames) == frames
    assert sink.discarded == (frames == 0)
    check_no_threads()


@pytest.mark.parametrize("raised", [ValueError("stuck"), SystemExit(3)], ids=repr)
def test_a_source_that_raises_when_it_is_closed_leaves_no_thread(raised):
    sink = ListSink()
    with pytest.raises(type(raised)) as info:
        Pipeline([Jitter(), Count()]).run(RaisingSource("close", raised), [sink])
    assert info.value is raised
    assert len(sink.frames) == 5
    check_no_threads()


class RaisingStage(Stage):
    """Raises at one moment: at frame 3, or when it is closed."""

    def __init__(self, moment, raised, scope=Scope.STATELESS):
        self.moment, self.raised, self.scope = moment, raised, scope

    def process(self, frame):
        self.meet(frame.seq)
        return frame

    def close(self):
        self.meet("close")

    def meet(self, moment):
        if moment == self.moment:
            raise self.raised


@pytest.mark.parametrize("raised", RAISED, ids=repr)
def test_a_stage_that_would_end_a_thread_of_ours_fails_its_frame(raised):
    sink = ListSink()
    report = Pipeline([RaisingStage(3, raised), Count()]).run(
        ListSource(images(6)), [sink], options=RunOptions(max_failures=1)
    )
    assert [frame.seq for frame in sink.frames] == [0, 1, 2, 4, 5]
    (failed,) = report.failed
    assert (failed.seq, failed.stage) == (3, "raisingstage")
    assert failed.error == f"{type(raised).__name__}: 3"

    with pytest.raises(StageError, match=f"'raisingstage' failed on frame 3: {failed.error}") as of:
        Pipeline([RaisingStage(3, raised)]).run(ListSource(images(6)))
    assert of.value.__cause__ is raised


@pytest.mark.parametrize("raised", [SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_what_ends_the_program_in_the_thread_of_the_caller_ends_the_run_and_completes_outputs(
    raised,
):
    sink = ListSink()
    stages = [Jitter(), RaisingStage(3, raised, Scope.STREAM)]
    with pytest.raises(type(raised)):
        Pipeline(stages).run(ListSource(images(6)), [sink], options=RunOptions(max_failures=6))
    assert [frame.seq for frame in sink.frames] == [0, 1, 2]
    assert not sink.is_open
    check_no_threads()


STUCK = ValueError("stuck")


@pytest.mark.parametrize(
    ("stage", "source"),
    [
        (RaisingStage("close", STUCK), ListSource(images(9))),
        (RaisingStage("close", STUCK, Scope.STREAM), ListSource(images(9))),
        (Passing(), RaisingSource("close", STUCK)),
    ],
    ids=["shared stage", "stream stage", "source"],
)
def test_an_error_at_the_end_of_a_run_does_not_hide_the_one_before(stage, source, caplog):
    with pytest.raises(StageError, match="no luck with 4"):
        Pipeline([stage, FailOn(4)]).run(source, [ListSink()])
    assert "ValueError: stuck" in caplog.text
    check_no_threads()


class Full(ListSink):
    """Takes three frames."""

    def write(self, frame):
        if frame.seq == 3:
            raise OutputError("disk full")


def test_an_error_at_the_end_of_a_run_does_not_hide_that_of_a_sink(caplog):
    stage = RaisingStage("close", STUCK, Scope.STREAM)
    with pytest.raises(OutputError, match="disk full"):
        Pipeline([stage]).run(ListSource(images(500)), [Full()])
    assert "ValueError: stuck" in caplog.text


def test_a_stage_that_cannot_be_closed_does_not_hide_why_another_could_not_be_opened(caplog):
    class Absent(Stage):
        def open(self):
            raise ModelError("the model is not there")

        def process(self, frame):
            return frame

    source = RaisingSource("close", STUCK)
    with pytest.raises(ModelError, match="the model is not there"):
        Pipeline([RaisingStage("close", STUCK), Absent()]).run(source)
    assert source.closed
    assert caplog.text.count("failed at the end of a run: ValueError: stuck") == 2


class Shared(ListSink):
    """Shares something that cannot be released."""

    def for_stream(self, stream):
        return ListSink()

    def close(self):
        raise STUCK


def test_what_sinks_share_that_cannot_be_released_leaves_no_stage_open_and_hides_no_error():
    stage = FailOn(4)
    closed = []
    stage.close = lambda: closed.append(True)
    shared = [Shared(), Discardable()]
    shared[1].for_stream = lambda stream: ListSink()
    shared[1].close = lambda: closed.append(True)
    with pytest.raises(StageError, match="no luck with 4"):
        Pipeline([stage]).run(ListSource(images(6)), shared)
    assert closed == [True, True]
    with pytest.raises(ValueError, match="stuck"):
        Pipeline([stage]).run(ListSource(images(3)), shared)
    assert closed == [True] * 4


def test_a_sink_that_fails_ends_the_run_and_the_others_are_closed():
    good = ListSink()
    with pytest.raises(OutputError, match="disk full"):
        Pipeline([Passing()]).run(ListSource(images(500)), [good, Full()])
    assert not good.is_open
    assert [frame.seq for frame in good.frames] == [0, 1, 2, 3]


def test_a_sink_that_cannot_open_discards_those_that_could():
    class Locked(ListSink):
        def open(self, stream):
            raise OutputError("no permission")

    good = Discardable()
    with pytest.raises(OutputError, match="permission"):
        Pipeline([Passing()]).run(ListSource(images(3)), [good, Locked()])
    assert good.discarded


def test_stop_ends_an_endless_source_and_completes_the_outputs():
    class Endless(ListSource):
        def frames(self):
            seq = 0
            while not self.closed:
                yield Frame(image=self._images[0], seq=seq, pts=seq)
                seq += 1

    stop = threading.Event()
    sink = ListSink()

    def stop_at_50(report):
        if report.frames == 50:
            stop.set()

    report = Pipeline([Passing()]).run(
        Endless(images(1)), [sink], options=RunOptions(stop=stop), on_frame=stop_at_50
    )
    assert report.stopped
    assert not report.complete
    assert len(sink.frames) == 50
    assert not sink.is_open


def test_stop_ends_a_run_whose_source_yields_nothing():
    class Silent(ListSource):
        def __init__(self):
            super().__init__(images(1))
            self._closing = threading.Event()

        def frames(self):
            self._closing.wait(60)
            return iter(())

        def close(self):
            self._closing.set()

    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    report = Pipeline([Passing()]).run(Silent(), options=RunOptions(stop=stop))
    assert report.stopped
    assert report.frames == 0


def test_leaving_the_iteration_early_ends_all_threads_and_closes_the_source():
    source = ListSource(images(1000))
    with Pipeline([Jitter()]).frames(source) as run:
        for frame in run:
            if frame.seq == 3:
                break
    assert source.closed
    check_no_threads()


def test_the_reader_stays_within_the_window():
    read = []

    class Watched(ListSource):
        def frames(self):
            for frame in super().frames():
                read.append(frame.seq)
                yield frame

    source = Watched(images(300, (100, 100, 3)))
    window = frames_in_window(10 * 30_000, source.info)
    with Pipeline([Count()]).frames(source, options=RunOptions(window_bytes=10 * 30_000)) as run:
        for frame in run:
            # in the queue, in the reader's hand, and in ours
            assert len(read) - frame.seq <= window + 2
    assert window == 10


def test_the_window_is_bounded_in_frames_for_small_and_huge_images():
    tiny, huge = ListSource(images(1)).info, ListSource(images(1, (4000, 6000, 3))).info
    assert frames_in_window(2**26, tiny) == 32
    assert frames_in_window(2**26, huge) == 4


@given(
    count=st.integers(0, 60),
    dropped=st.sets(st.integers(0, 60)),
    failing=st.sets(st.integers(0, 60)),
)
@settings(max_examples=30, deadline=None)
def test_every_frame_has_exactly_one_outcome(count, dropped, failing):
    class Drop(Stage):
        concurrency = 3

        def process(self, frame):
            return None if frame.seq in dropped else frame

    sink = ListSink()
    source = ListSource(images(max(count, 1))[:count] or images(1))
    total = len(source._images)
    report = Pipeline([Drop(), FailOn(*failing), Count()]).run(
        source, [sink], options=RunOptions(max_failures=total)
    )
    delivered = [frame.seq for frame in sink.frames]
    assert all(a < b for a, b in pairwise(delivered))
    assert report.frames + sum(report.dropped.values()) + len(report.failed) == total
    assert set(delivered) == set(range(total)) - dropped - failing


@pytest.mark.parametrize("wrong", [{"max_failures": -1}, {"window_bytes": 0}])
def test_run_options_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RunOptions(**wrong)
