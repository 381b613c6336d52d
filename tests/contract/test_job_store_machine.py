"""Whatever happens in whatever order, jobs keep to their rules, in every store alike."""

import itertools
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.job_values import a_job, ingested
from tests.lengths import short_or_long

from sightline.jobs.model import Failure, Task
from sightline.jobs.sql.database import Database
from sightline.jobs.sql.schema import metadata
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.states import JOB_MOVES, JobState, Priority, Queue, TaskKind, TaskState
from sightline.jobs.store import (
    ChunkDone,
    Finalized,
    JobQuery,
    JobStateError,
    LeasePolicy,
    LeaseReport,
    Standing,
)
from sightline.testing.job_store import MemoryJobStore

POLICY = LeasePolicy(lease_s=10.0, max_attempts=2, retry_delay_s=1.0, keep_s=400.0)
WORKERS = ("ann", "bob")
EXAMPLES, TWIN_EXAMPLES = short_or_long((60, 10), (150, 25))
# What one call may do in two steps, of which only the last can be seen.
MOVES_IN_TWO = {
    (JobState.QUEUED, JobState.FINALIZING),
    (JobState.RUNNING, JobState.CANCELED),
    (JobState.FINALIZING, JobState.CANCELED),
}


class Machine(RuleBasedStateMachine):
    """Plays clients, workers that finish, fail and die, and the housekeeper."""

    leases = Bundle("leases")

    def __init__(self):
        super().__init__()
        self.stores = self.open_stores()
        self.now_s = 0.0
        self.numbers = itertools.count()
        self.live = {}  # (job id, kind, number): the token that may work on it
        self.given = {}  # token: the lease, one per store
        self.seen = {}  # job id: the job and its tasks after the last step
        self.accepted = set()

    def open_stores(self):
        return [MemoryJobStore()]

    @property
    def store(self):
        return self.stores[0]

    def ask(self, name, *args, **fields):
        """Ask all stores the same, who must answer the same."""
        answers = []
        for store in self.stores:
            try:
                answers.append(comparable(getattr(store, name)(*args, **fields)))
            except JobStateError as error:
                answers.append(str(error))
        assert all(answer == answers[0] for answer in answers), (name, answers)
        return answers[0]

    def end(self, name, lease, *args, **fields):
        """End a lease in each store, with that store's own token; it works if it was live."""
        assert len(lease) == len(self.stores)
        answers = [
            getattr(store, name)(own, *args, **fields)
            for store, own in zip(self.stores, lease, strict=True)
        ]
        assert answers == [self.is_live(lease)] * len(answers)

    def is_live(self, lease):
        return self.live.get(key(lease[0].task)) == lease[0].token

    @initialize(chunks=st.integers(0, 3), leased=st.integers(0, 2))
    def begin(self, chunks, leased):
        """Begin in the middle of things."""
        self.submit()
        self.do_one(TaskKind.INGEST, chunks, frames=1)
        for worker in WORKERS[:leased]:
            self.take({TaskKind.CHUNK, TaskKind.FINAL}, worker)

    # Clients

    @precondition(lambda self: self.store.count() < 2)  # so that much happens to each
    @rule(priority=st.sampled_from(Priority))
    def submit(self, priority=Priority.NORMAL):
        job = a_job(next(self.numbers), created_at=self.now_s, priority=priority)
        self.ask("add", job)
        self.accepted.add(job.id)

    @precondition(lambda self: self.accepted)
    @rule(data=st.data(), what=st.sampled_from(["cancel", "retry", "delete"]))
    def ask_for(self, data, what):
        job_id = data.draw(st.sampled_from(sorted(self.accepted, reverse=True)))
        fields = {"cancel": {"policy": POLICY, "now_s": self.now_s}, "retry": {"now_s": self.now_s}}
        is_terminal = self.store.get(job_id).state.terminal
        self.ask(what, job_id, **fields.get(what, {}))
        if what == "delete" and is_terminal:
            self.accepted.remove(job_id)
            self.seen.pop(job_id, None)

    # Workers

    @rule(
        target=leases,
        kinds=st.sets(st.sampled_from(TaskKind), min_size=1),
        worker=st.sampled_from(WORKERS),
        queues=st.none() | st.lists(st.sampled_from(Queue), unique=True),
    )
    def take(self, kinds, worker, queues=None):
        fields = {"worker": worker, "policy": POLICY, "now_s": self.now_s, "queues": queues}
        lease = [store.claim(sorted(kinds), **fields) for store in self.stores]
        if lease[0] is None:
            assert not any(lease)
            return multiple()
        assert all(replace(own, token=lease[0].token) == lease[0] for own in lease)
        place = key(lease[0].task)
        assert place not in self.live, "leased twice at once"
        self.live[place] = lease[0].token
        self.given[lease[0].token] = lease
        return lease

    @rule(kind=st.sampled_from(TaskKind), chunks=st.integers(0, 3), frames=st.integers(0, 60))
    def work(self, kind, chunks, frames):
        """Do a task at once, so that jobs come far."""
        self.do_one(kind, chunks, frames)

    def do_one(self, kind, chunks, frames):
        """Do a task of a kind; False if there is none."""
        lease = self.take({kind}, WORKERS[0])
        if lease == multiple():
            return False
        self.jobs_keep_to_their_rules()
        self.finish(lease, chunks, frames)
        self.jobs_keep_to_their_rules()
        return True

    @precondition(lambda self: self.live)
    @rule(data=st.data(), how=st.sampled_from(["fail", "release", "finish"]))
    def end_one_that_lives(self, data, how):
        lease = self.given[self.live[data.draw(st.sampled_from(sorted(self.live)))]]
        if how == "fail":
            self.fail(lease, again=False)
        elif how == "release":
            self.release(lease)
        else:
            self.finish(lease, chunks=2, frames=9)

    @rule(lease=leases, frames=st.integers(0, 60))
    def renew(self, lease, frames):
        report = LeaseReport(frames_done=frames, bytes_done=frames)
        standings = {
            store.renew(own, report, policy=POLICY, now_s=self.now_s)
            for store, own in zip(self.stores, lease, strict=True)
        }
        assert len(standings) == 1
        assert (standings == {Standing.LOST}) is not self.is_live(lease)
        asked = {store.standing(own) for store, own in zip(self.stores, lease, strict=True)}
        assert asked == standings

    @rule(lease=consumes(leases), chunks=st.integers(0, 3), frames=st.integers(0, 60))
    def finish(self, lease, chunks, frames):
        task = lease[0].task
        if task.kind is TaskKind.INGEST:
            done = ingested(chunks, warnings=["as it goes"])
            self.end("finish_ingest", lease, done, now_s=self.now_s)
        elif task.kind is TaskKind.CHUNK:
            self.end("finish_chunk", lease, ChunkDone(frames=frames), now_s=self.now_s)
        elif not self.is_live(lease) or self.final_may_end(task.job_id):
            done = Finalized(frames=frames, summary={"frames": frames})
            self.end("finish_final", lease, done, policy=POLICY, now_s=self.now_s)

    def final_may_end(self, job_id):
        """Say whether a worker of the final pass has all its input, or was told to wrap up."""
        job = self.store.get(job_id)
        return job.state is not JobState.RUNNING

    @rule(lease=consumes(leases), again=st.booleans())
    def fail(self, lease, again):
        failure = Failure(code="stage-failed", message="it failed")
        self.end("fail", lease, failure, again=again, policy=POLICY, now_s=self.now_s)

    @rule(lease=consumes(leases))
    def release(self, lease):
        self.end("release", lease, policy=POLICY, now_s=self.now_s)

    @rule(worker=st.sampled_from(WORKERS), counted=st.booleans())
    def die(self, worker, counted):
        self.ask("forfeit", [worker], counted=counted, policy=POLICY, now_s=self.now_s)

    # Housekeeping

    @rule(step_s=st.sampled_from([0.5, 2.0, 11.0, 200.0]))
    def wait(self, step_s):
        self.now_s += step_s

    @rule()
    def sweep(self):
        self.ask("sweep", policy=POLICY, now_s=self.now_s)

    # What always holds

    @invariant()
    def all_stores_say_the_same(self):
        self.ask("list", JobQuery())
        self.ask("outstanding")
        self.ask("queue_positions", sorted(self.accepted))
        for job_id in sorted(self.accepted):
            self.ask("tasks", job_id)

    @invariant()
    def jobs_keep_to_their_rules(self):
        live = {}
        for job_id in self.accepted:
            job, tasks = self.store.get(job_id), self.store.tasks(job_id)
            for task in tasks:
                check_task(task)
                if task.state is TaskState.LEASED:
                    live[key(task)] = self.live[key(task)]
            check_counts(job, tasks)
            check_ready_to_go_on(job, tasks)
            if job_id in self.seen:
                check_move(*self.seen[job_id], job, tasks)
            self.seen[job_id] = job, tasks
        self.live = live

    def teardown(self):
        """Every accepted job comes to an end if only somebody works."""
        for _ in range(200):
            if all(self.store.get(job_id).state.terminal for job_id in self.accepted):
                break
            self.now_s += 11.0
            self.sweep()
            self.jobs_keep_to_their_rules()
            for kind in TaskKind:
                while self.do_one(kind, chunks=1, frames=1):
                    pass
        else:
            pytest.fail("a job does not end")
        for store in self.stores:
            store.close()


class TwinMachine(Machine):
    """The same in memory and in SQLite."""

    template = None

    def open_stores(self):
        self.folder = tempfile.mkdtemp()
        shutil.copy(self.template, Path(self.folder, "jobs.sqlite"))
        return [MemoryJobStore(), SqlJobStore(Database(f"sqlite:///{self.folder}/jobs.sqlite"))]

    def teardown(self):
        super().teardown()
        shutil.rmtree(self.folder)


class PostgresMachine(Machine):
    """The same in memory and in PostgreSQL."""

    server = None

    def open_stores(self):
        self.server.clear("migrated", [table.name for table in metadata.sorted_tables])
        self.database = Database(self.server.url("migrated"))
        return [MemoryJobStore(), SqlJobStore(self.database)]

    def teardown(self):
        super().teardown()
        self.database.close()


def comparable(answer):
    """Leave out the tokens, which are random."""
    is_tasks = isinstance(answer, list) and answer and isinstance(answer[0], Task)
    return (
        [replace(task, result=task.result and "a token") for task in answer] if is_tasks else answer
    )


def key(task):
    return task.job_id, task.kind, task.number


def check_task(task):
    assert 0 <= task.attempt <= POLICY.max_attempts
    assert (task.leased_until is not None) is (task.state is TaskState.LEASED)
    if task.state is TaskState.DONE:
        assert task.result is not None


def check_counts(job, tasks):
    chunks = [task for task in tasks if task.kind is TaskKind.CHUNK]
    states = [task.state for task in chunks]
    progress = job.progress
    assert progress.chunks_total == len(chunks)
    assert progress.chunks_done == states.count(TaskState.DONE)
    assert progress.chunks_running == states.count(TaskState.LEASED)
    assert progress.chunks_failed == states.count(TaskState.FAILED)
    final = tasks[-1]
    assert progress.frames_final == final.frames_done
    assert progress.frames_done == sum(task.frames_done for task in chunks or [final])
    assert (job.finished_at is not None) is job.state.terminal


def check_ready_to_go_on(job, tasks):
    """Something is there to be done, or nothing more is to come."""
    states = {task.state for task in tasks}
    if job.state.terminal:
        assert not states & {TaskState.READY, TaskState.WAITING}
    else:
        assert states & {TaskState.READY, TaskState.LEASED}
    if job.state is JobState.CANCELING:
        assert TaskState.READY not in states


def check_move(old, old_tasks, new, new_tasks):
    if old.state is not new.state:
        move = (old.state, new.state)
        assert new.state in JOB_MOVES[old.state] or move in MOVES_IN_TWO, move
    has_changed = replace(new, version=old.version) != old or visible(old_tasks) != visible(
        new_tasks
    )
    assert new.version > old.version if has_changed else new.version == old.version


def visible(tasks):
    return [replace(task, leased_until=None) for task in tasks]


def test_jobs_keep_to_their_rules_whatever_happens():
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=EXAMPLES, stateful_step_count=40, deadline=None)
    )


def test_sqlite_and_the_fake_agree_whatever_happens(tmp_path):
    template = tmp_path / "empty.sqlite"
    with Database(f"sqlite:///{template}") as database:
        database.migrate()
    twins = type("Twins", (TwinMachine,), {"template": template})
    run_state_machine_as_test(
        twins, settings=settings(max_examples=TWIN_EXAMPLES, stateful_step_count=30, deadline=None)
    )


def test_postgresql_and_the_fake_agree_whatever_happens(postgres):
    twins = type("Twins", (PostgresMachine,), {"server": postgres})
    run_state_machine_as_test(
        twins, settings=settings(max_examples=TWIN_EXAMPLES, stateful_step_count=30, deadline=None)
    )
