"""The ledger of a source node: whatever handlers do, every frame is done once, slots come back."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.graph.modes import Mode, StreamPolicy
from sightline.graph.node_ledger import Ledger
from sightline.transport.messages import Admit, FrameId, Pixels, Result, SlotRef

STREAM = "cam"


def slot(seq, kind=0):
    return SlotRef("segment", 2 * seq + kind, 1, 100)


def admit(seq, *, dropped=""):
    about = FrameId(STREAM, 7, seq, seq, (1, 30), seq)
    if dropped:
        return Admit(about, None, None, dropped)
    return Admit(about, Pixels((2, 2, 3), slot(seq)), slot(seq, 1))


class Source:
    """A ledger, and all that it told."""

    def __init__(self, mode=Mode.EVERY_FRAME):
        self.settled = []
        self.released = []
        self.kept = []
        self.ledger = Ledger(STREAM, StreamPolicy(mode=mode), on_settled=self.settled.append)
        self.ledger.window = 4

    def admit(self, count):
        read = self.ledger.admitted + self.ledger.left_out
        for seq in range(read, read + count):
            self.ledger.admit(admit(seq))

    def assign(self):
        return [(entry.holder, entry.about.seq) for entry in self.ledger.assign(0)]

    def answer(self, handler, seq, **result):
        self.ledger.answered(handler, Result(admit(seq).frame, **result))

    def done(self, *seqs, kept=()):
        self.ledger.done([(STREAM, 7, seq) for seq in seqs], [(STREAM, 7, seq) for seq in kept])
        release = self.ledger.take_release()
        if release is not None:
            self.released += release.slots
            self.kept += release.kept


@pytest.fixture
def source():
    source = Source()
    source.ledger.join(b"a", batch=1)
    return source


def test_slots_come_back_when_the_collector_is_done_and_not_before(source):
    source.admit(1)
    assert source.assign() == [(b"a", 0)]
    source.answer(b"a", 0)
    assert source.ledger.take_release() is None
    source.done(0)
    assert source.released == [slot(0), slot(0, 1)]
    assert len(source.ledger) == 0


def test_what_a_handler_answered_is_done_again_if_it_dies_before_the_collector_is_done(source):
    source.admit(1)
    source.assign()
    source.answer(b"a", 0)
    source.ledger.leave(b"a", is_dead=True)
    source.ledger.join(b"b", batch=1)
    (entry,) = source.ledger.assign(0)
    assert (entry.holder, entry.about.seq) == (b"b", 0)


def test_a_frame_that_was_given_before_gets_no_slot_that_may_be_read(source):
    source.admit(1)
    (entry,) = source.ledger.assign(0)
    assert entry.output == slot(0, 1)
    source.ledger.leave(b"a", is_dead=True)
    source.ledger.join(b"b", batch=1)
    (entry,) = source.ledger.assign(0)
    assert entry.output is None
    source.answer(b"b", 0)
    source.done(0)
    assert source.released == [slot(0), slot(0, 1)]


def test_slots_wait_for_the_handler_that_still_reads_a_frame_which_is_done(source):
    source.admit(1)
    source.assign()
    source.answer(b"a", 0)
    source.ledger.leave(b"a", is_dead=True)
    source.ledger.join(b"b", batch=1)
    source.assign()
    source.done(0)  # the collector had the result of the first
    assert source.released == []
    source.answer(b"b", 0)
    source.done()
    assert source.released == [slot(0), slot(0, 1)]


def test_slots_that_somebody_holds_on_to_are_kept(source):
    source.admit(2)
    source.assign()
    source.answer(b"a", 0, kept=True)
    source.answer(b"a", 1)
    source.done(0, 1, kept=[1])
    assert source.released == []
    assert source.kept == [slot(0), slot(0, 1), slot(1), slot(1, 1)]


def test_a_frame_of_which_three_handlers_die_is_given_up(source):
    source.admit(1)
    for name in (b"a", b"b", b"c"):
        if name != b"a":
            source.ledger.join(name, batch=1)
        assert source.assign() == [(name, 0)]
        source.ledger.leave(name, is_dead=True)
    source.ledger.join(b"d", batch=1)
    assert source.assign() == []
    (told,) = source.ledger.relayed(b"d")
    assert "given up after 3 attempts" in told.failure.error
    source.done(0)
    assert source.released == [slot(0), slot(0, 1)]


def test_handlers_that_leave_of_themselves_are_not_blamed_on_a_frame(source):
    source.admit(1)
    for number in range(5):
        source.ledger.join(b"h%d" % number, batch=1) if number else None
        assert len(source.assign()) == 1
        source.ledger.leave(b"h%d" % number if number else b"a", is_dead=False)
    assert source.ledger.relays == []


def test_what_was_to_be_told_is_told_again_if_the_teller_dies(source):
    source.ledger.admit(admit(0, dropped="no free slot"))
    assert [told.dropped_by for told in source.ledger.relayed(b"a")] == ["source: no free slot"]
    assert source.ledger.relayed(b"a") == []
    source.ledger.leave(b"a", is_dead=True)
    source.ledger.join(b"b", batch=1)
    assert len(source.ledger.relayed(b"b")) == 1
    source.done(0)
    assert len(source.ledger) == 0


def test_a_full_window_drops_the_oldest_frame_that_waits_and_its_slots_come_back_at_once():
    source = Source(Mode.AUTO)
    source.admit(5)
    source.done()
    assert source.released == [slot(0), slot(0, 1), slot(1), slot(1, 1)]
    source.ledger.join(b"a", batch=1)
    assert [told.dropped_by for told in source.ledger.relayed(b"a")] == [
        "dispatch: window full"
    ] * 2


@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.FRESHEST])
def test_frames_of_a_live_source_that_nobody_takes_get_no_number_once_they_are_very_many(mode):
    source = Source(mode)
    source.admit(5000)
    assert len(source.ledger) == source.ledger.admitted == 1000
    assert source.ledger.left_out == 4000
    source.done()
    assert Counter(source.released) == Counter(slot(n, k) for n in range(5000) for k in (0, 1))
    source.ledger.join(b"a", batch=1)
    assert source.assign() == []
    told = [result.frame.seq for result in source.ledger.relayed(b"a")]
    assert sorted(told) == list(range(1000))
    source.done(*told)
    source.admit(1)
    assert source.assign() == [(b"a", 1000)]
    assert (source.ledger.admitted, source.ledger.left_out) == (1001, 4000)


def test_no_frame_of_a_recording_is_left_out():
    source = Source()
    source.admit(1500)
    assert (len(source.ledger), source.ledger.left_out) == (1500, 0)


def test_what_is_abandoned_can_still_be_answered(source):
    source.admit(2)
    source.assign()
    source.ledger.abandon("source: stopped")
    assert len(source.ledger.relayed(b"a")) == 2
    source.done(0)
    source.answer(b"a", 0)
    source.answer(b"a", 1)
    source.done(1)
    assert len(source.ledger) == 0
    assert Counter(source.released) == Counter(slot(n, k) for n in (0, 1) for k in (0, 1))


class World:
    """A source with handlers that come, go and answer, and a collector."""

    def __init__(self, data, mode):
        self.draw = data.draw
        self.source = Source(mode)
        self.ledger = self.source.ledger
        self.names = iter(range(1000))
        self.handlers = {}  # what each holds and has not answered
        self.at_collector = []  # who brought what

    def admit(self):
        self.source.admit(1)

    def join(self):
        name = b"h%d" % next(self.names)
        self.handlers[name] = []
        self.ledger.join(name, batch=1)

    def leave(self):
        if self.handlers:
            name = self.draw(st.sampled_from(sorted(self.handlers)))
            del self.handlers[name]
            self.ledger.leave(name, is_dead=self.draw(st.booleans()))

    def give(self):
        for holder, seq in self.source.assign():
            self.handlers[holder].append(seq)
        if self.handlers and self.ledger.relays:
            teller = self.draw(st.sampled_from(sorted(self.handlers)))
            for told in self.ledger.relayed(teller):
                self.at_collector.append((teller, told.frame.seq))

    def answer(self):
        busy = sorted(name for name, held in self.handlers.items() if held)
        if busy:
            name = self.draw(st.sampled_from(busy))
            seq = self.handlers[name].pop(0)
            self.at_collector.append((name, seq))
            self.source.answer(name, seq)

    def collect(self):
        if self.at_collector:
            place = self.draw(st.integers(0, len(self.at_collector) - 1))
            name, seq = self.at_collector.pop(place)
            if name in self.handlers:  # else nobody passes it on
                self.source.done(seq)

    def finish(self):
        self.join()
        while self.ledger or self.at_collector or any(self.handlers.values()):
            self.give()
            self.answer()
            self.collect()
        self.source.done()


STEPS = [World.admit, World.join, World.leave, World.give, World.answer, World.collect]


@settings(max_examples=200)
@given(st.data(), st.sampled_from(list(Mode)), st.lists(st.sampled_from(STEPS), max_size=60))
def test_every_frame_is_done_once_and_every_slot_comes_back_once(data, mode, steps):
    world = World(data, mode)
    for step in steps:
        step(world)
    world.finish()
    source, admitted = world.source, world.ledger.admitted
    assert sorted(entry.about.seq for entry in source.settled) == list(range(admitted))
    assert Counter(source.released) == Counter(slot(n, k) for n in range(admitted) for k in (0, 1))
