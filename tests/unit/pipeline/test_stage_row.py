"""Rows of stages: what is taken as a result, and stages that take several frames at once."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import PipelineError
from sightline.frame import Frame
from sightline.pipeline.outcome import Outcome, StageRow
from sightline.pipeline.stage import Stage

IMAGE = np.zeros((2, 2, 3), np.uint8)


def new(count):
    return [Outcome(frame=Frame(image=IMAGE, seq=seq, pts=seq)) for seq in range(count)]


class Batch(Stage):
    """Remembers its batches; drops and fails on given frames."""

    batch_size = 4

    def __init__(self, *, dropped=(), failing=()):
        self.dropped = dropped
        self.failing = failing
        self.batches = []
        self.alone = []

    def process(self, frame):
        self.alone.append(frame.seq)
        return self.work(frame)

    def process_batch(self, frames):
        self.batches.append([frame.seq for frame in frames])
        return [self.work(frame) for frame in frames]

    def work(self, frame):
        if frame.seq in self.failing:
            raise ValueError(f"no luck with {frame.seq}")
        return None if frame.seq in self.dropped else frame.replace(data={"seen": frame.seq})


def test_a_stage_gets_as_many_frames_at_once_as_it_takes():
    stage = Batch()
    outcomes = new(10)
    assert StageRow([("batch", stage)]).process_many(outcomes) is outcomes
    assert stage.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert stage.alone == []
    assert [outcome.frame.data["seen"] for outcome in outcomes] == list(range(10))
    assert all([name for name, _ in outcome.times] == ["batch"] for outcome in outcomes)


def test_a_stage_that_takes_one_frame_gets_one_after_the_other():
    class Single(Batch):
        batch_size = 1

    stage = Single()
    StageRow([("single", stage)]).process_many(new(3))
    assert (stage.batches, stage.alone) == ([], [0, 1, 2])


def test_a_stage_need_not_know_of_batches():
    class Plain(Stage):
        batch_size = 3

        def process(self, frame):
            return frame.replace(data={"plain": True})

    outcomes = StageRow([("plain", Plain())]).process_many(new(5))
    assert all(outcome.frame.data["plain"] for outcome in outcomes)


def test_dropped_and_failed_frames_are_in_no_later_batch():
    first, second = Batch(dropped={1}, failing={6}), Batch()
    outcomes = StageRow([("first", first), ("second", second)]).process_many(new(8))
    assert second.batches == [[0, 2, 3, 4], [5, 7]]
    assert outcomes[1].dropped_by == "first"
    assert outcomes[6].failure.stage == "first"


def test_a_batch_that_raises_is_repeated_frame_by_frame_so_that_only_the_bad_frame_fails(caplog):
    stage = Batch(failing={2})
    outcomes = StageRow([("batch", stage)]).process_many(new(8))
    assert stage.batches == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert stage.alone == [0, 1, 2, 3]
    assert [seq for seq, outcome in enumerate(outcomes) if outcome.frame is None] == [2]
    assert outcomes[2].failure.error == "ValueError: no luck with 2"
    assert "batch failed stage=batch frames=4" in caplog.text


def test_a_batch_may_come_back_as_a_generator():
    class Lazy(Batch):
        def process_batch(self, frames):
            return (self.work(frame) for frame in frames)

    stage = Lazy(dropped={1})
    outcomes = StageRow([("lazy", stage)]).process_many(new(3))
    assert [outcome.frame is not None for outcome in outcomes] == [True, False, True]
    assert stage.alone == []


def test_the_text_of_an_error_that_is_no_unicode_is_escaped():
    class NoFile(Stage):
        def process(self, frame):
            raise FileNotFoundError("caf\udce9.txt")

    failure = StageRow([("nofile", NoFile())]).process(new(1)[0].frame).failure
    assert failure.error == "FileNotFoundError: caf\\udce9.txt"
    assert "caf\\udce9.txt" in failure.traceback
    failure.traceback.encode()


def test_an_error_that_cannot_tell_its_message_fails_its_frame_alone():
    class MuteError(Exception):
        def __str__(self):
            raise ValueError("no text")

    class Tongueless(Stage):
        def process(self, frame):
            raise MuteError

    outcome = StageRow([("tongueless", Tongueless())]).process(new(1)[0].frame)
    assert outcome.failure.error == "MuteError: its text cannot be had"
    assert isinstance(outcome.error, MuteError)


@pytest.mark.parametrize("results", [[], [None]])
def test_a_batch_with_a_wrong_number_of_results_is_repeated_frame_by_frame(caplog, results):
    class Short(Batch):
        def process_batch(self, frames):
            return results

    outcomes = StageRow([("short", Short())]).process_many(new(3))
    assert [outcome.frame.data["seen"] for outcome in outcomes] == [0, 1, 2]
    assert "batch failed" in caplog.text


def test_a_batch_that_breaks_the_promise_to_keep_images_fails_frame_by_frame():
    class Liar(Batch):
        changes_image = False

        def work(self, frame):
            return frame.replace(image=IMAGE.copy()) if frame.seq == 1 else frame

    outcomes = StageRow([("liar", Liar())]).process_many(new(3))
    assert [outcome.frame is None for outcome in outcomes] == [False, True, False]
    assert "changes_image = False" in outcomes[1].failure.error


@pytest.mark.parametrize("threads", [0, -1, 2.5, None])
def test_a_stage_that_no_thread_may_be_inside_is_refused_instead_of_waited_for(threads):
    stage = Batch()
    stage.concurrency = threads
    message = f"stage 'batch': concurrency must be a number of threads, 1 or more, but is {threads}"
    with pytest.raises(PipelineError, match=message):
        StageRow([("batch", stage)])


REPLACED = [
    ({"seq": 7}, "replaced seq 1 by 7;"),
    ({"pts": -3}, "replaced pts 1 by -3;"),
    ({"time_base": Fraction(1, 25)}, "replaced time_base 1/1000 by 1/25;"),
    ({"stream": "yard"}, "replaced stream '' by 'yard';"),
    ({"seq": 0, "pts": 0}, "replaced seq 1 by 0, pts 1 by 0;"),
]


class Renumber(Batch):
    """Replaces what says which frame it is, of frame 1."""

    batch_size = 1

    def __init__(self, changes):
        super().__init__()
        self.changes = changes

    def work(self, frame):
        return frame.replace(**self.changes) if frame.seq == 1 else frame


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize(("changes", "message"), REPLACED)
def test_a_stage_that_replaces_what_says_which_frame_it_is_fails_that_frame(
    changes, message, batch_size
):
    stage = Renumber(changes)
    stage.batch_size = batch_size
    outcomes = StageRow([("renumber", stage)]).process_many(new(3))
    assert [outcome.frame is None for outcome in outcomes] == [False, True, False]
    failure = outcomes[1].failure
    assert failure.seq == 1
    assert failure.error == (
        f"PipelineError: stage 'renumber' {message} "
        "stages may change image, detections and data of a frame only"
    )


def test_a_stage_may_return_a_frame_that_it_made_anew():
    class Anew(Stage):
        def process(self, frame):
            return Frame(
                image=frame.image.copy(),
                seq=int(str(frame.seq)),
                pts=frame.pts,
                time_base=Fraction(2, 2000),
                stream="".join(frame.stream),
            )

    outcomes = StageRow([("anew", Anew())]).process_many(new(3))
    assert [outcome.frame.seq for outcome in outcomes] == [0, 1, 2]


def test_a_batch_that_comes_back_in_another_order_is_repeated_frame_by_frame():
    class Reversed(Batch):
        def process_batch(self, frames):
            return [self.work(frame) for frame in frames][::-1]

    outcomes = StageRow([("reversed", Reversed())]).process_many(new(4))
    assert [outcome.frame.seq for outcome in outcomes] == [0, 1, 2, 3]


@given(
    count=st.integers(0, 20),
    batch=st.integers(1, 7),
    dropped=st.sets(st.integers(0, 20)),
    failing=st.sets(st.integers(0, 20)),
)
def test_batches_of_any_size_give_what_single_frames_give(count, batch, dropped, failing):
    def kind(outcome):
        return outcome.frame is not None, outcome.dropped_by, outcome.failure is not None

    together = Batch(dropped=dropped, failing=failing)
    together.batch_size = batch
    alone = Batch(dropped=dropped, failing=failing)
    rows = [StageRow([("a", stage), ("b", Batch(dropped={3}))]) for stage in (together, alone)]
    expected = [rows[1].proceed(outcome) for outcome in new(count)]
    assert [*map(kind, rows[0].process_many(new(count)))] == [*map(kind, expected)]
