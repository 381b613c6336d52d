"""Dispatcher and resequencer together: a discrete-event simulation of 100,000 frames.

Eight handlers need random times, die and come back; stages drop frames and fail; results come
twice. The clock is simulated, so that nothing is waited for.
"""

import random
from collections import Counter
from dataclasses import dataclass
from heapq import heappop, heappush

import pytest

from sightline.graph.dispatch import Dispatcher
from sightline.graph.modes import Mode, StreamPolicy
from sightline.graph.resequence import Resequencer

MS = 1_000_000
STREAMS = {
    "file": StreamPolicy(),
    "long file": StreamPolicy(),
    "cam": StreamPolicy(mode=Mode.AUTO, staleness_s=0.02),
    "door": StreamPolicy(mode=Mode.FRESHEST),
}
FRAMES = 25_000  # of each stream
EPOCH_FRAMES = 10_000
WINDOW = 32  # frames of a file under way
FRAME_NS = MS * 3 // 10  # between the frames of a camera: more than its share of the handlers
HANDLERS = 8
POISON = ("file", 777)


@dataclass(slots=True, eq=False)
class Work:
    key: tuple
    stream: str
    seq: int
    captured_ns: int
    urgent: bool
    attempts: int = 0

    @property
    def frame_key(self):
        return self.stream, self.seq

    @property
    def epoch(self):
        return self.seq // EPOCH_FRAMES


class Simulation:
    """A hub with simulated sources and handlers; `released` is what its sinks would see."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.now_ns = 0
        self.events = []
        self.scheduled = 0
        self.dispatcher = Dispatcher()
        self.resequencer = Resequencer()
        self.at_handler = {}
        self.joined = 0
        self.admitted = dict.fromkeys(STREAMS, 0)
        self.released = {stream: [] for stream in STREAMS}
        for stream, policy in STREAMS.items():
            self.dispatcher.add_stream(stream, policy)
            if policy.mode is not Mode.EVERY_FRAME:
                self.after(0, self.capture, stream)
        for _ in range(HANDLERS):
            self.join()

    def after(self, delay_ns, action, *arguments):
        self.scheduled += 1
        heappush(self.events, (self.now_ns + delay_ns, self.scheduled, action, arguments))

    def run(self):
        self.pump()
        while self.events:
            self.now_ns, _, action, arguments = heappop(self.events)
            action(*arguments)
            self.pump()

    def pump(self):
        """Do what a hub does after each message: admit what fits, give out what can be."""
        for stream in ("file", "long file"):
            under_way = self.admitted[stream] - self.resequencer_next(stream)
            for _ in range(min(WINDOW - under_way, FRAMES - self.admitted[stream])):
                self.admit(stream)
        given, drops = self.dispatcher.assign(self.now_ns)
        for handler, work in given:
            queue = self.at_handler[handler]
            queue.append(work)
            if len(queue) == 1:
                self.begin(handler)
        for work, reason in drops:
            self.settle(work, f"dropped: {reason}")

    def resequencer_next(self, stream):
        return self.resequencer.next_seq(stream) if self.admitted[stream] else 0

    def capture(self, stream):
        self.admit(stream)
        if self.admitted[stream] < FRAMES:
            self.after(FRAME_NS, self.capture, stream)

    def admit(self, stream):
        seq = self.admitted[stream]
        self.admitted[stream] += 1
        if seq % EPOCH_FRAMES == 0:
            self.resequencer.begin(stream, epoch=seq // EPOCH_FRAMES, first_seq=seq)
        self.submit(Work((stream, seq, 0), stream, seq, self.now_ns, urgent=False))

    def submit(self, work):
        for superseded, reason in self.dispatcher.submit(work):
            self.settle(superseded, f"dropped: {reason}")

    def join(self):
        self.joined += 1
        name = b"%d" % self.joined
        self.at_handler[name] = []
        self.dispatcher.join(name)

    def begin(self, handler):
        busy_ns = int(self.random.expovariate(1 / MS)) + 1
        self.after(busy_ns, self.finish, handler, self.at_handler[handler][0], busy_ns)

    def finish(self, handler, work, busy_ns):
        """A handler is done with a frame, or has died of it, or of something else."""
        if (work.stream, work.seq) == POISON or self.random.random() < 0.0005:
            del self.at_handler[handler]
            for given_up in self.dispatcher.leave(handler):
                self.settle(given_up, "failed: given up")
            self.after(50 * MS, self.join)
            return
        queue = self.at_handler[handler]
        assert queue.pop(0) is work
        if queue:
            self.begin(handler)
        self.collect(handler, work, busy_ns)

    def collect(self, handler, work, busy_ns):
        assert self.dispatcher.finish(handler, work.key, busy_s=busy_ns * 1e-9) is work
        assert self.dispatcher.finish(handler, work.key) is None
        chance = self.random.random()
        if chance < 0.05 and not work.urgent:  # it goes through a second step
            key = (work.stream, work.seq, 1)
            self.submit(Work(key, work.stream, work.seq, work.captured_ns, urgent=True))
        elif chance < 0.06:
            self.settle(work, "dropped: stage")
        elif chance < 0.07:
            self.settle(work, "failed: stage")
        else:
            self.settle(work, "result")

    def settle(self, work, outcome):
        entry = (work.seq, outcome, self.now_ns - work.captured_ns)
        released = self.resequencer.accept(work.stream, work.epoch, work.seq, entry)
        assert released is not None, "a frame has one outcome"
        self.released[work.stream] += released
        if self.random.random() < 0.01:  # it comes a second time
            assert self.resequencer.accept(work.stream, work.epoch, work.seq, entry) is None


@pytest.fixture(scope="module")
def simulation():
    simulation = Simulation(seed=3)
    simulation.run()
    return simulation


def outcomes(simulation, stream):
    return Counter(outcome for _, outcome, _ in simulation.released[stream])


@pytest.mark.parametrize("stream", STREAMS)
def test_every_number_of_a_stream_arrives_once_and_in_order(simulation, stream):
    assert [seq for seq, _, _ in simulation.released[stream]] == list(range(FRAMES))
    assert simulation.resequencer.pending(stream) == 0


def test_the_simulation_has_met_everything_that_it_is_about(simulation):
    met = sum((outcomes(simulation, stream) for stream in STREAMS), Counter())
    assert set(met) == {
        "result",
        "dropped: stage",
        "dropped: stale",
        "dropped: superseded",
        "failed: stage",
        "failed: given up",
    }
    assert simulation.joined > 2 * HANDLERS


def test_only_the_frame_that_kills_handlers_is_given_up(simulation):
    given_up = [
        (stream, seq)
        for stream in STREAMS
        for seq, outcome, _ in simulation.released[stream]
        if outcome == "failed: given up"
    ]
    assert given_up == [POISON]


@pytest.mark.parametrize("stream", ["file", "long file"])
def test_a_stream_that_keeps_every_frame_loses_none_to_overload(simulation, stream):
    met = outcomes(simulation, stream)
    assert not met["dropped: stale"] + met["dropped: superseded"]


def test_under_overload_no_frame_is_older_than_the_budget_and_one_processing_time():
    """Two handlers that need 20 ms meet a camera of 200 frames/s: twice what they can do."""
    budget_ns, busy_ns, interval_ns = 100 * MS, 20 * MS, 5 * MS
    dispatcher, resequencer = Dispatcher(), Resequencer()
    dispatcher.add_stream("cam", StreamPolicy(mode=Mode.AUTO, staleness_s=0.1))
    resequencer.begin("cam", epoch=0, first_seq=0)
    dispatcher.join(b"a")
    dispatcher.join(b"b")
    busy, ages = [], []
    for seq in range(2000):
        now_ns = seq * interval_ns
        dispatcher.submit(Work(("cam", seq, 0), "cam", seq, now_ns, urgent=False))
        settled = []
        while busy and busy[0][0] <= now_ns:
            _, handler, work = busy.pop(0)
            dispatcher.finish(handler, work.key, busy_s=busy_ns * 1e-9)
            settled.append((work, True))
        given, drops = dispatcher.assign(now_ns)
        busy += [(now_ns + busy_ns, handler, work) for handler, work in given]
        for work, is_result in settled + [(work, False) for work, _ in drops]:
            for released, shown in resequencer.accept("cam", 0, work.seq, (work, is_result)):
                ages += [now_ns - released.captured_ns] if shown else []
    assert budget_ns <= max(ages) <= budget_ns + busy_ns
    assert len(ages) == pytest.approx(1000, rel=0.05)


def ages_beside(others, *, seconds):
    """Ages of the frames of a camera of 50 frames/s, when three handlers need 4 ms for a frame."""
    dispatcher, busy, ages, submitted = Dispatcher(), [], [], 0
    for stream, policy in {"paced": StreamPolicy(paced=True), **others}.items():
        dispatcher.add_stream(stream, policy)
    for handler in (b"a", b"b", b"c"):
        dispatcher.join(handler)
    for now_ns in range(0, seconds * 1000 * MS, MS // 4):
        while busy and busy[0][0] <= now_ns:
            ended_ns, _, handler, work = heappop(busy)
            dispatcher.finish(handler, work.key, busy_s=0.004)
            ages += [ended_ns - work.captured_ns] if work.stream == "paced" else []
        due = [] if now_ns % (20 * MS + MS // 4) else ["paced"]
        for stream in due + [name for name in others if not dispatcher.queued(name)]:
            submitted += 1
            work = Work((stream, submitted, 0), stream, submitted, now_ns, urgent=False)
            dispatcher.submit(work)
        for handler, work in dispatcher.assign(now_ns)[0]:
            begins_ns = max([now_ns] + [ends for ends, _, at, _ in busy if at == handler])
            submitted += 1
            heappush(busy, (begins_ns + 4 * MS, submitted, handler, work))
    return ages


@pytest.mark.parametrize(
    "others",
    [
        {"file": StreamPolicy()},
        {f"file {number}": StreamPolicy() for number in range(10)},
        {"flood": StreamPolicy(mode=Mode.AUTO)},
        {"flood": StreamPolicy(mode=Mode.FRESHEST)},
        {"file": StreamPolicy(), "flood": StreamPolicy(mode=Mode.AUTO)},
    ],
    ids=["a file", "ten files", "a flood", "a flood of fresh frames", "both"],
)
def test_beside_streams_at_full_speed_a_paced_frame_waits_for_one_work_at_hand(others):
    ages = ages_beside(others, seconds=20)
    assert len(ages) >= 980
    assert max(ages[100:]) <= 2 * 4 * MS
