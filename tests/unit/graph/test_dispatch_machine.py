"""The dispatcher against a model of its rules that is slow and plain."""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from sightline.graph.dispatch import Dispatcher
from sightline.graph.modes import Mode, StreamPolicy

MAX_ATTEMPTS = 2
STALENESS_NS = 1000
STREAMS = {
    "file": Mode.EVERY_FRAME,
    "second": Mode.EVERY_FRAME,
    "cam": Mode.AUTO,
    "door": Mode.FRESHEST,
}
STREAM = st.integers(0, len(STREAMS) - 1)  # of those that there are


@dataclass(eq=False)
class Work:
    key: int
    stream: str
    captured_ns: int
    urgent: bool
    attempts: int = 0
    is_orphan: bool = False  # its stream is gone

    @property
    def frame_key(self):
        return self.key


@dataclass(eq=False)
class Node:
    """A handler of the model: it always takes the same time, so that its credit is known."""

    capacity: int
    batch: int
    busy_s: float
    held: list[Work] = field(default_factory=list)
    is_known: bool = False

    def credit(self, is_timely):
        if self.is_known and self.busy_s < 0.0005:
            return 2 * self.capacity
        if self.is_known and self.busy_s < 0.002:
            return self.capacity
        return self.batch if is_timely else self.capacity

    def may_get(self, work, is_timely):
        if work.attempts or any(held.attempts for held in self.held):
            return not self.held
        return len(self.held) < self.credit(is_timely)


class Turns:
    """Who had a turn when, and since when each stream has had something to give out."""

    def __init__(self):
        self.moment = 0
        self.last = {}
        self.since = {}

    def note(self, waiting):
        """Note which streams have something to give out."""
        self.moment += 1
        self.since = {stream: self.since.get(stream, self.moment) for stream in waiting}

    def check(self, stream, waiting):
        """Give a stream its turn: no other one has waited since before its last turn."""
        last = self.last.get(stream)
        if last is not None:
            for other in waiting:
                waited = self.since[other] < last and self.last.get(other, 0) < last
                assert other == stream or not waited, f"{other} waits, but {stream} had its turn"
        self.moment += 1
        self.last[stream] = self.moment


class DispatcherRules(RuleBasedStateMachine):
    @initialize(paced=st.sampled_from(["", "second"]), files_only=st.booleans())
    def start(self, paced, files_only):
        self.paced = paced
        self.streams = ["file", "second"] if files_only else list(STREAMS)
        self.dispatcher = Dispatcher(max_attempts=MAX_ATTEMPTS)
        self.now_ns = 0
        self.submitted = 0
        self.over = 0
        self.queues = {}
        self.nodes = {}
        self.joined = 0
        self.turns = {False: Turns(), True: Turns()}
        for stream in self.streams:
            self.add_stream(stream)
        for busy_s in (0.01, 0.0001):
            self.join(capacity=(2, 1), busy_s=busy_s)

    def add_stream(self, stream):
        policy = StreamPolicy(
            mode=STREAMS[stream],
            staleness_s=STALENESS_NS * 1e-9,
            paced=stream == self.paced,
        )
        self.dispatcher.add_stream(stream, policy)
        self.queues |= {(stream, False): [], (stream, True): []}

    def may_get(self, node, work):
        return node.may_get(work, is_timely=bool(self.paced) or "cam" in self.streams)

    def waiting(self, urgent):
        return [s for (s, is_urgent), queue in self.queues.items() if queue and is_urgent == urgent]

    def note(self):
        for urgent, turns in self.turns.items():
            turns.note(self.waiting(urgent))

    def name(self, number):
        return self.streams[number % len(self.streams)]

    @rule(stream=STREAM, urgent=st.booleans(), count=st.integers(1, 4))
    def submit(self, stream, urgent, count):
        stream = self.name(stream)
        for _ in range(count):
            self.submitted += 1
            work = Work(self.submitted, stream, self.now_ns, urgent)
            queue = self.queues[stream, urgent]
            superseded = queue[:] if STREAMS[stream] is Mode.FRESHEST and not urgent else []
            drops = self.dispatcher.submit(work)
            assert drops == [(old, "superseded") for old in superseded]
            self.over += len(superseded)
            queue[:] = [*queue[len(superseded) :], work]
            self.note()

    @rule(
        capacity=st.sampled_from([(1, 1), (2, 1), (2, 2), (5, 3)]),
        busy_s=st.sampled_from([0.01, 0.001, 0.0001]),
    )
    def join(self, capacity, busy_s):
        self.joined += 1
        name = b"%d" % self.joined
        self.nodes[name] = Node(*capacity, busy_s)
        self.dispatcher.join(name, capacity=capacity[0], batch=capacity[1])

    @precondition(lambda self: self.nodes)
    @rule(data=st.data())
    def leave(self, data):
        name = data.draw(st.sampled_from(sorted(self.nodes)))
        node = self.nodes.pop(name)
        before = [work.attempts for work in node.held]
        given_up = self.dispatcher.leave(name)
        for position, work in enumerate(node.held):
            assert work.attempts == before[position] + (position < node.batch)
            if work.attempts < MAX_ATTEMPTS and not work.is_orphan:
                queue = self.queues[work.stream, work.urgent]
                queue.append(work)
                queue.sort(key=lambda queued: queued.key)
            else:
                assert given_up.pop(0) is work
                self.over += 1
        assert not given_up
        self.note()

    @precondition(lambda self: any(node.held for node in self.nodes.values()))
    @rule(data=st.data(), twice=st.booleans())
    def finish(self, data, twice):
        name = data.draw(st.sampled_from(sorted(n for n in self.nodes if self.nodes[n].held)))
        node = self.nodes[name]
        work = data.draw(st.sampled_from(node.held))
        assert self.dispatcher.finish(name, work.key, busy_s=node.busy_s) is work
        node.held.remove(work)
        node.is_known = True
        self.over += 1
        if twice:
            assert self.dispatcher.finish(name, work.key, busy_s=node.busy_s) is None

    @precondition(lambda self: self.nodes)
    @rule(data=st.data(), key=st.integers(1, 200))
    def finish_what_is_elsewhere(self, data, key):
        name = data.draw(st.sampled_from(sorted(self.nodes)))
        if key not in [work.key for work in self.nodes[name].held]:
            assert self.dispatcher.finish(name, key) is None

    @rule(stream=STREAM)
    def drop_oldest(self, stream):
        stream = self.name(stream)
        queue = self.queues[stream, False]
        oldest = queue.pop(0) if queue else None
        assert self.dispatcher.oldest_queued(stream) is oldest
        drop = self.dispatcher.drop_oldest(stream, "window")
        assert drop == ((oldest, "window") if oldest else None)
        self.over += oldest is not None
        self.note()

    @precondition(lambda self: any(self.queues.values()))
    @rule(data=st.data())
    def withdraw(self, data):
        queue = data.draw(st.sampled_from([queue for queue in self.queues.values() if queue]))
        work = data.draw(st.sampled_from(queue))
        assert self.dispatcher.withdraw(work) == [work]
        queue.remove(work)
        self.over += 1
        self.note()

    @rule(stream=STREAM)
    def replace_stream(self, stream):
        stream = self.name(stream)
        queued = self.queues[stream, True] + self.queues[stream, False]
        assert self.dispatcher.remove_stream(stream) == queued
        self.over += len(queued)
        for work in [work for node in self.nodes.values() for work in node.held]:
            work.is_orphan |= work.stream == stream
        self.add_stream(stream)
        for turns in self.turns.values():
            turns.last.pop(stream, None)
        self.note()

    @rule(elapsed_ns=st.sampled_from([0, 1, 400, STALENESS_NS, STALENESS_NS + 1]))
    def assign(self, elapsed_ns):
        self.now_ns += elapsed_ns
        given, drops = self.dispatcher.assign(self.now_ns)
        for work, reason in drops:
            assert reason == "stale"
            assert STREAMS[work.stream] is Mode.AUTO
            assert self.is_stale(work)
            assert self.queues[work.stream, False].pop(0) is work
            self.over += 1
        self.note()
        for name, work in given:
            self.check_given(self.nodes[name], work)
        self.check_nobody_is_idle_for_nothing()

    def is_stale(self, work):
        return not work.urgent and self.now_ns - work.captured_ns > STALENESS_NS

    def check_given(self, node, work):
        queue = self.queues[work.stream, work.urgent]
        assert queue[0] is work, "within a stream, the oldest goes first"
        assert work.urgent or not self.waiting(urgent=True), "urgent works go first"
        assert STREAMS[work.stream] is not Mode.AUTO or not self.is_stale(work)
        assert self.may_get(node, work), "credit is never exceeded"
        fewest = min(len(n.held) for n in self.nodes.values() if self.may_get(n, work))
        assert len(node.held) == fewest, "the handler that holds least goes first"
        self.turns[work.urgent].check(work.stream, self.waiting(work.urgent))
        queue.pop(0)
        node.held.append(work)
        self.note()

    def check_nobody_is_idle_for_nothing(self):
        heads = [queue[0] for queue in self.queues.values() if queue]
        if heads:
            assert all(node.held for node in self.nodes.values())
            for node in self.nodes.values():
                assert not all(self.may_get(node, head) for head in heads)

    @invariant()
    def everything_is_where_the_model_has_it(self):
        for stream in self.streams:
            queued = len(self.queues[stream, False]) + len(self.queues[stream, True])
            assert self.dispatcher.queued(stream) == queued
        for name, node in self.nodes.items():
            assert self.dispatcher.outstanding(name) == node.held
        queued = [work.key for queue in self.queues.values() for work in queue]
        out = [work.key for node in self.nodes.values() for work in node.held]
        assert len(set(queued + out)) == len(queued + out) == self.submitted - self.over
        assert self.dispatcher.handlers == len(self.nodes)

    def teardown(self):
        """Whatever has happened: with a handler that works, every work comes to its end."""
        for name in list(self.nodes):
            self.dispatcher.leave(name)
        self.dispatcher.join(b"last")
        rounds = 0
        while self.dispatcher.assign(self.now_ns)[0] or self.dispatcher.outstanding(b"last"):
            for work in self.dispatcher.outstanding(b"last"):
                assert self.dispatcher.finish(b"last", work.key) is work
            rounds += 1
            assert rounds <= self.submitted
        assert not any(self.dispatcher.queued(stream) for stream in self.streams)


TestDispatcherRules = DispatcherRules.TestCase
TestDispatcherRules.settings = settings(max_examples=150, stateful_step_count=40)
