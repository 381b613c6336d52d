from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

import pytest

from sightline.graph.dispatch import Dispatcher
from sightline.graph.modes import Mode, StreamPolicy

MS = 1_000_000
LIVE = StreamPolicy(mode=Mode.AUTO, staleness_s=0.5)


@dataclass(eq=False)
class Work:
    key: Hashable
    stream: str = "file"
    captured_ns: int = 0
    urgent: bool = False
    attempts: int = 0

    @property
    def frame_key(self):
        return self.key


@dataclass(eq=False)
class Frame:
    attempts: int = 0


@dataclass(eq=False)
class Part:
    """A work of a frame that has several."""

    frame_key: Frame
    key: Hashable
    stream: str = "file"
    captured_ns: int = 0
    urgent: bool = True

    @property
    def attempts(self):
        return self.frame_key.attempts

    @attempts.setter
    def attempts(self, attempts):
        self.frame_key.attempts = attempts


@pytest.fixture
def dispatcher():
    dispatcher = Dispatcher()
    dispatcher.add_stream("file", StreamPolicy())
    dispatcher.add_stream("cam", LIVE)
    dispatcher.add_stream("door", StreamPolicy(mode=Mode.FRESHEST))
    return dispatcher


@pytest.fixture
def files():
    """A dispatcher of streams whose frames may lie waiting."""
    dispatcher = Dispatcher()
    dispatcher.add_stream("file", StreamPolicy())
    return dispatcher


def submit(dispatcher, *keys, **facts):
    for key in keys:
        assert dispatcher.submit(Work(key, **facts)) == []


def given(dispatcher, now_ns=0):
    """Assign, and name the pairs of handler and work; nothing must be dropped."""
    assigned, drops = dispatcher.assign(now_ns)
    assert drops == []
    return [(handler, work.key) for handler, work in assigned]


def teach(dispatcher, handler, busy_s):
    """Let a handler finish one work, which took so long."""
    submit(dispatcher, "lesson", urgent=True)
    assert given(dispatcher) == [(handler, "lesson")]
    assert dispatcher.finish(handler, "lesson", busy_s=busy_s).key == "lesson"


def test_work_waits_until_a_handler_joins(dispatcher):
    submit(dispatcher, 1)
    assert given(dispatcher) == []
    dispatcher.join(b"a")
    assert dispatcher.handlers == 1
    assert given(dispatcher) == [(b"a", 1)]


def test_idle_handlers_come_before_second_works(files):
    files.join(b"a")
    files.join(b"b")
    submit(files, 1, 2, 3, 4, 5)
    assert given(files) == [(b"a", 1), (b"b", 2), (b"a", 3), (b"b", 4)]
    assert given(files) == []


def test_of_idle_handlers_the_longest_idle_is_next(dispatcher):
    for handler in (b"a", b"b", b"c"):
        dispatcher.join(handler)
    submit(dispatcher, 1, 2, 3)
    given(dispatcher)
    dispatcher.finish(b"b", 2)
    dispatcher.finish(b"a", 1)
    submit(dispatcher, 4, 5)
    assert given(dispatcher) == [(b"b", 4), (b"a", 5)]


@pytest.mark.parametrize(("busy_s", "held"), [(0.01, 2), (0.001, 2), (0.0001, 4)])
def test_a_handler_holds_two_frames_of_a_file_and_four_if_it_is_very_quick(files, busy_s, held):
    files.join(b"a")
    teach(files, b"a", busy_s)
    submit(files, *range(9))
    assert given(files) == [(b"a", key) for key in range(held)]
    assert [work.key for work in files.outstanding(b"a")] == list(range(held))


@pytest.mark.parametrize(("busy_s", "held"), [(0.01, 1), (0.001, 2), (0.0001, 4)])
def test_a_frame_of_a_live_stream_waits_only_at_a_quick_handler(dispatcher, busy_s, held):
    dispatcher.join(b"a")
    teach(dispatcher, b"a", busy_s)
    submit(dispatcher, *range(9), stream="cam")
    assert given(dispatcher) == [(b"a", key) for key in range(held)]


def test_a_handler_of_batches_is_given_whole_batches(dispatcher):
    dispatcher.join(b"a", capacity=6, batch=3)
    teach(dispatcher, b"a", 0.01)
    submit(dispatcher, *range(9), stream="cam")
    assert len(given(dispatcher)) == 3
    dispatcher.remove_stream("cam")
    dispatcher.remove_stream("door")
    submit(dispatcher, *range(10, 19), urgent=True)
    assert len(given(dispatcher)) == 3


def test_a_handler_that_becomes_slow_loses_its_credit(dispatcher):
    dispatcher.join(b"a")
    for _ in range(1000):
        teach(dispatcher, b"a", 0.0001)
    for _ in range(64):
        teach(dispatcher, b"a", 0.02)
    assert dispatcher.service(b"a") > 0.002
    submit(dispatcher, 1, 2, stream="cam")
    assert given(dispatcher) == [(b"a", 1)]


def test_the_mean_service_time_is_known_once_it_was_told(dispatcher):
    assert dispatcher.service(b"a") is None
    dispatcher.join(b"a")
    teach(dispatcher, b"a", None)
    assert dispatcher.service(b"a") is None
    teach(dispatcher, b"a", 0.25)
    teach(dispatcher, b"a", 0.75)
    assert dispatcher.service(b"a") == 0.5


def test_a_file_does_not_keep_a_slow_handler_from_a_live_stream(dispatcher):
    dispatcher.join(b"a")
    submit(dispatcher, *range(10))
    given(dispatcher)
    submit(dispatcher, "live", stream="cam")
    for key in range(10):
        dispatcher.finish(b"a", key, busy_s=0.02)
        if (b"a", "live") in given(dispatcher):
            break
    assert key <= 2


@pytest.mark.parametrize(
    "policy", [LIVE, StreamPolicy(mode=Mode.FRESHEST), StreamPolicy(paced=True)]
)
def test_nothing_lies_waiting_at_a_slow_handler_as_long_as_frames_of_a_stream_have_their_time(
    files, policy
):
    files.join(b"a")
    teach(files, b"a", 0.02)
    files.add_stream("timely", policy)
    submit(files, *range(10))
    assert given(files) == [(b"a", 0)]
    submit(files, "timely", stream="timely")
    assert given(files) == []
    files.finish(b"a", 0, busy_s=0.02)
    assert given(files) == [(b"a", "timely")]
    files.remove_stream("timely")
    assert given(files) == [(b"a", 1)]


@pytest.mark.parametrize("others", [1, 2, 5])
def test_a_stream_that_takes_less_than_its_share_waits_for_works_at_hand_only(dispatcher, others):
    for number in range(others):
        dispatcher.add_stream(f"other {number}", StreamPolicy())
        submit(dispatcher, *[(number, seq) for seq in range(100)], stream=f"other {number}")
    handlers = (b"a", b"b", b"c")
    for handler in handlers:
        dispatcher.join(handler)
    given(dispatcher)
    for turn in range(40):
        if turn % 8 == 7:
            submit(dispatcher, turn, stream="cam")
        handler = handlers[turn % 3]
        (work,) = dispatcher.outstanding(handler)
        dispatcher.finish(handler, work.key, busy_s=0.01)
        ((_, key),) = given(dispatcher)
        assert (key == turn) is (turn % 8 == 7)


@pytest.mark.parametrize("stream", ["cam", "door"])
def test_a_stream_that_has_a_new_frame_at_every_turn_gets_no_more_than_its_share(
    dispatcher, stream
):
    submit(dispatcher, *range(100))
    dispatcher.join(b"a")
    turns = Counter()
    for turn in range(40):
        submit(dispatcher, ("flood", turn), stream=stream)
        ((_, key),) = given(dispatcher)
        turns[key == ("flood", turn)] += 1
        dispatcher.finish(b"a", key, busy_s=0.01)
        while dispatcher.queued(stream):
            dispatcher.drop_oldest(stream, "late")
    assert turns == {True: 20, False: 20}


def test_urgent_work_comes_before_new_work_of_every_stream(dispatcher):
    submit(dispatcher, 1, 2)
    submit(dispatcher, "part 1", "part 2", stream="cam", urgent=True)
    for handler in (b"a", b"b", b"c"):
        dispatcher.join(handler)
    assert [key for _, key in given(dispatcher)][:3] == ["part 1", "part 2", 1]


def test_streams_take_turns_however_much_one_submits(dispatcher):
    dispatcher.add_stream("other", StreamPolicy())
    submit(dispatcher, *[("file", index) for index in range(100)])
    submit(dispatcher, *[("other", index) for index in range(5)], stream="other")
    for handler in range(10):
        dispatcher.join(b"%d" % handler)
    assert Counter(stream for _, (stream, _) in given(dispatcher)[:10]) == {"file": 5, "other": 5}


def test_stale_frames_are_dropped_instead_of_assigned(dispatcher):
    submit(dispatcher, "old", stream="cam", captured_ns=0)
    submit(dispatcher, "limit", stream="cam", captured_ns=100 * MS)
    dispatcher.join(b"a")
    assigned, drops = dispatcher.assign(600 * MS)
    assert [(handler, work.key) for handler, work in assigned] == [(b"a", "limit")]
    assert [(work.key, reason) for work, reason in drops] == [("old", "stale")]


def test_urgent_works_and_those_of_files_are_never_stale(dispatcher):
    submit(dispatcher, 1)
    submit(dispatcher, 2, stream="cam", urgent=True)
    submit(dispatcher, 3, stream="door")
    for handler in (b"a", b"b", b"c"):
        dispatcher.join(handler)
    assert len(given(dispatcher, now_ns=10**15)) == 3


def test_stale_frames_do_not_cost_their_stream_its_turn(dispatcher):
    submit(dispatcher, "old", stream="cam")
    submit(dispatcher, "file 1", "file 2")
    submit(dispatcher, "young", stream="cam", captured_ns=900 * MS)
    dispatcher.join(b"a")
    assigned, _ = dispatcher.assign(1000 * MS)
    assert assigned[0][1].key == "young"


def test_the_freshest_frame_supersedes_those_that_wait_but_no_urgent_ones(dispatcher):
    submit(dispatcher, "part", stream="door", urgent=True)
    submit(dispatcher, 1, stream="door")
    drops = dispatcher.submit(Work(2, stream="door"))
    assert [(drop.work.key, drop.reason) for drop in drops] == [(1, "superseded")]
    assert dispatcher.queued("door") == 2
    for handler in (b"a", b"b"):
        dispatcher.join(handler)
    assert given(dispatcher) == [(b"a", "part"), (b"b", 2)]


def test_the_oldest_new_work_can_be_looked_at_and_dropped(dispatcher):
    assert dispatcher.oldest_queued("cam") is None
    assert dispatcher.drop_oldest("cam", "window") is None
    submit(dispatcher, "part", stream="cam", urgent=True)
    submit(dispatcher, 1, 2, stream="cam")
    assert dispatcher.oldest_queued("cam").key == 1
    work, reason = dispatcher.drop_oldest("cam", "window")
    assert (work.key, reason) == (1, "window")
    assert dispatcher.oldest_queued("cam").key == 2


def test_what_is_not_outstanding_at_a_handler_cannot_be_finished_there(dispatcher):
    dispatcher.join(b"a")
    dispatcher.join(b"b")
    submit(dispatcher, 1)
    given(dispatcher)
    assert dispatcher.finish(b"b", 1) is None
    assert dispatcher.finish(b"c", 1) is None
    assert dispatcher.finish(b"a", 1).key == 1
    assert dispatcher.finish(b"a", 1) is None


def test_the_works_of_handlers_that_leave_are_queued_again_in_their_old_order(files):
    for handler in (b"a", b"b"):
        files.join(handler)
    submit(files, 1, 2, 3, 4, 5)
    assert given(files) == [(b"a", 1), (b"b", 2), (b"a", 3), (b"b", 4)]
    assert files.leave(b"a") == files.leave(b"b") == []
    assert [files.drop_oldest("file", "").work.key for _ in range(5)] == [1, 2, 3, 4, 5]


def test_an_attempt_is_counted_only_for_the_work_in_process(files):
    files.join(b"a")
    submit(files, 1, 2)
    given(files)
    first, second = files.outstanding(b"a")
    files.leave(b"a")
    assert (first.attempts, second.attempts) == (1, 0)


def test_an_attempt_is_counted_for_each_work_of_a_batch_in_process(files):
    files.join(b"a", capacity=4, batch=2)
    submit(files, 1, 2, 3, 4)
    given(files)
    works = files.outstanding(b"a")
    files.leave(b"a")
    assert [work.attempts for work in works] == [1, 1, 0, 0]


def test_a_work_that_a_handler_may_have_died_of_is_given_out_alone(files):
    files.join(b"a")
    submit(files, 1, 2, 3)
    given(files)
    files.leave(b"a")
    files.join(b"b")
    assert given(files) == [(b"b", 1)]
    files.finish(b"b", 1)
    assert given(files) == [(b"b", 2), (b"b", 3)]


def test_a_work_that_a_handler_may_have_died_of_waits_for_an_idle_handler(dispatcher):
    for handler in (b"a", b"b"):
        dispatcher.join(handler)
    submit(dispatcher, 1, 2)
    assert given(dispatcher) == [(b"a", 1), (b"b", 2)]
    dispatcher.leave(b"a")
    assert given(dispatcher) == []
    dispatcher.finish(b"b", 2)
    assert given(dispatcher) == [(b"b", 1)]


def test_a_work_to_be_given_out_alone_is_not_kept_waiting_by_other_streams(dispatcher):
    dispatcher.add_stream("other", StreamPolicy())
    submit(dispatcher, "suspect")
    dispatcher.join(b"a")
    given(dispatcher)
    dispatcher.join(b"b")
    submit(dispatcher, *range(20), stream="other")
    given(dispatcher)
    dispatcher.leave(b"a")
    for key in range(20):
        dispatcher.finish(b"b", key)
        if (b"b", "suspect") in given(dispatcher):
            break
    assert key <= 3


def run_until_dead(dispatcher, handler, *, batch, poison):
    """Let a handler work until nothing is left or poison kills it: what is done, and given up."""
    dispatcher.join(handler, capacity=2 * batch, batch=batch)
    done = []
    given(dispatcher)
    while at_hand := [work.key for work in dispatcher.outstanding(handler)][:batch]:
        if poison in at_hand:
            return done, dispatcher.leave(handler)
        done += [dispatcher.finish(handler, key).key for key in at_hand]
        given(dispatcher)
    return done, []


@pytest.mark.parametrize("batch", [1, 4])
def test_a_work_that_kills_handlers_is_given_up_and_no_other_is(batch):
    dispatcher = Dispatcher(max_attempts=3)
    dispatcher.add_stream("file", StreamPolicy())
    submit(dispatcher, *range(20))
    done, given_up = [], []
    for handler in (b"a", b"b", b"c", b"d"):
        more, lost = run_until_dead(dispatcher, handler, batch=batch, poison=7)
        done += more
        given_up += lost
    assert [(work.key, work.attempts) for work in given_up] == [(7, 3)]
    assert sorted(done) == [key for key in range(20) if key != 7]


@pytest.mark.parametrize("batch", [1, 4])
def test_a_frame_whose_every_part_kills_handlers_is_given_up_after_three_of_them(batch):
    dispatcher = Dispatcher(max_attempts=3)
    dispatcher.add_stream("file", StreamPolicy())
    poison = Frame()
    for key in range(20):
        dispatcher.submit(Part(poison, key))
    dispatcher.submit(innocent := Work("innocent", urgent=True))
    for handler in (b"a", b"b"):
        dispatcher.join(handler, capacity=2 * batch, batch=batch)
        given(dispatcher)
        assert dispatcher.leave(handler) == []
    dispatcher.join(b"c", capacity=2 * batch, batch=batch)
    given(dispatcher)
    (given_up,) = dispatcher.leave(b"c")
    assert len(dispatcher.withdraw(given_up)) == 19
    dispatcher.join(b"d")
    assert given(dispatcher) == [(b"d", "innocent")]
    assert (poison.attempts, innocent.attempts) == (3, 0)


def test_an_innocent_frame_is_suspected_once_though_all_handlers_die_behind_its_parts():
    """They may have been done with them, and not have told yet."""
    dispatcher = Dispatcher(max_attempts=3)
    dispatcher.add_stream("file", StreamPolicy())
    innocent, poison = Frame(), Frame()
    for handler in (b"a", b"b", b"c", b"d"):
        dispatcher.join(handler)
    for frame, name in ((innocent, "innocent"), (poison, "poison")):
        for number in range(4):
            dispatcher.submit(Part(frame, (name, number)))
    assert len(given(dispatcher)) == 8
    for handler in (b"a", b"b", b"c", b"d"):
        assert dispatcher.leave(handler) == []
    assert (innocent.attempts, poison.attempts) == (1, 0)


def test_a_handler_that_leaves_of_itself_is_blamed_on_nothing(dispatcher):
    dispatcher.join(b"a")
    submit(dispatcher, 1)
    given(dispatcher)
    (work,) = dispatcher.outstanding(b"a")
    assert dispatcher.leave(b"a", blame=False) == []
    assert work.attempts == 0


def test_what_waits_of_a_frame_can_be_withdrawn_and_what_handlers_hold_can_be_finished(dispatcher):
    one, other = Frame(), Frame()
    parts = [Part(one, "1a"), Part(one, "1b"), Part(other, "2a"), Part(other, "2b")]
    for part in parts:
        dispatcher.submit(part)
    dispatcher.join(b"a", capacity=1)
    assert given(dispatcher) == [(b"a", "1a")]
    assert dispatcher.withdraw(parts[0]) == [parts[1]]
    assert dispatcher.withdraw(parts[0]) == []
    assert dispatcher.finish(b"a", "1a") is parts[0]
    assert given(dispatcher) == [(b"a", "2a")]
    assert dispatcher.queued("file") == 1


def test_a_handler_that_leaves_twice_leaves_once(dispatcher):
    dispatcher.join(b"a")
    submit(dispatcher, 1)
    given(dispatcher)
    assert dispatcher.leave(b"a") == dispatcher.leave(b"a") == []
    assert dispatcher.queued("file") == 1
    assert dispatcher.outstanding(b"a") == []


def test_a_handler_is_given_nothing_after_it_left(dispatcher):
    dispatcher.join(b"a")
    dispatcher.leave(b"a")
    submit(dispatcher, 1)
    assert given(dispatcher) == []


def test_the_works_of_a_removed_stream_are_never_given_out(dispatcher):
    submit(dispatcher, 1, 2, 3, stream="cam")
    submit(dispatcher, "part", stream="cam", urgent=True)
    dispatcher.join(b"a")
    assert given(dispatcher) == [(b"a", "part")]
    assert [work.key for work in dispatcher.remove_stream("cam")] == [1, 2, 3]
    dispatcher.join(b"b")
    assert given(dispatcher) == []


def test_a_work_of_a_removed_stream_is_finished_or_handed_back_by_its_handler(dispatcher):
    submit(dispatcher, 1, 2)
    for handler in (b"a", b"b"):
        dispatcher.join(handler)
    given(dispatcher)
    dispatcher.remove_stream("file")
    dispatcher.add_stream("file", StreamPolicy())
    assert dispatcher.finish(b"a", 1).key == 1
    assert [work.key for work in dispatcher.leave(b"b")] == [2]
    assert dispatcher.queued("file") == 0


def test_an_unknown_stream_is_an_error(dispatcher):
    for ask in (dispatcher.remove_stream, dispatcher.queued, dispatcher.oldest_queued):
        with pytest.raises(ValueError, match="no stream 'gate' has been added"):
            ask("gate")
    with pytest.raises(ValueError, match="no stream 'gate' has been added"):
        dispatcher.submit(Work(1, stream="gate"))


def test_a_stream_or_handler_that_is_there_cannot_be_added_again(dispatcher):
    with pytest.raises(ValueError, match="there is a stream 'file' already"):
        dispatcher.add_stream("file", StreamPolicy())
    dispatcher.join(b"a")
    with pytest.raises(ValueError, match="handler b'a' has joined already"):
        dispatcher.join(b"a")


@pytest.mark.parametrize(("capacity", "batch"), [(0, 1), (2, 0), (2, 3)])
def test_a_handler_that_can_hold_no_batch_is_refused(dispatcher, capacity, batch):
    with pytest.raises(ValueError, match=f"capacity {capacity} must be at least batch {batch}"):
        dispatcher.join(b"a", capacity=capacity, batch=batch)


def test_no_attempt_at_all_is_refused():
    with pytest.raises(ValueError, match="max_attempts must be 1 or more, but is 0"):
        Dispatcher(max_attempts=0)
