"""Rows and files of uploads: who takes them, and when they go."""

import pytest

from sightline.jobs.files import Storage
from sightline.jobs.model import Job, JobSpec
from sightline.jobs.sql.database import Database
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.store import LeasePolicy
from sightline.service.owner import KeyLimits, Owner, Scope
from sightline.service.problems import ProblemError
from sightline.service.uploads import UploadLimits, Uploads

ANN = Owner(id="ann", name="ann", scopes=frozenset(Scope), limits=KeyLimits(upload_bytes=100))
BOB = Owner(id="bob", name="bob", scopes=frozenset(Scope))


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def database(tmp_path):
    with Database(f"sqlite:///{tmp_path / 'jobs.sqlite'}") as database:
        database.migrate()
        yield database


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def storage(tmp_path):
    return Storage(tmp_path)


@pytest.fixture
def uploads(database, storage, clock):
    limits = UploadLimits(upload_bytes=1000, free_bytes=0, keep_s=100.0)
    return Uploads(database, storage, limits=limits, clock=clock)


def finished(uploads, owner=ANN, content=b"0123456789"):
    upload = uploads.create(owner, length=len(content), name="a.mp4")
    file = uploads.open(upload)
    file.append(content)
    file.close()
    return upload


def add_job(database, job_id, upload_id):
    spec = JobSpec(
        source_name="a", upload=upload_id, pipeline="p", params={}, definition={}, outputs=()
    )
    store = SqlJobStore(database)
    store.add(Job(id=job_id, spec=spec, created_at=1000.0))
    return store


def code_of(call, *arguments, **named):
    with pytest.raises(ProblemError) as caught:
        call(*arguments, **named)
    return caught.value.code


def test_a_finished_upload_is_taken_by_one_job_and_again_by_the_same(uploads):
    upload = finished(uploads)
    assert uploads.claim(upload.id, ANN, job_id="one") == "one"
    assert uploads.claim(upload.id, ANN, job_id="two") == "one"
    assert uploads.get(upload.id, ANN).job_id == "one"


def test_what_no_quota_will_ever_allow_is_too_large(uploads):
    with pytest.raises(ProblemError, match="may have 100 bytes, not 101") as caught:
        uploads.create(ANN, length=101, name="")
    assert (caught.value.code, caught.value.headers) == ("too-large", {})
    assert code_of(uploads.create, BOB, length=1001, name="") == "too-large"


def test_nobody_takes_the_upload_of_somebody_else(uploads):
    upload = finished(uploads)
    assert code_of(uploads.claim, upload.id, BOB, job_id="one") == "unknown-upload"
    assert uploads.claim(upload.id, ANN, job_id="two") == "two"


def test_an_unfinished_upload_is_not_taken(uploads):
    upload = uploads.create(ANN, length=10, name="")
    assert code_of(uploads.claim, upload.id, ANN, job_id="one") == "upload-unfinished"
    file = uploads.open(upload, verify=True)
    file.append(b"0123456789")
    file.close()
    assert code_of(uploads.claim, upload.id, ANN, job_id="one") == "upload-unfinished"


def test_what_a_job_has_taken_is_neither_written_nor_removed(uploads, storage):
    upload = finished(uploads)
    uploads.claim(upload.id, ANN, job_id="one")
    assert code_of(uploads.open, upload) == "gone"
    assert code_of(uploads.remove, upload) == "gone"
    assert storage.upload(upload.id).read_bytes() == b"0123456789"


def test_uploads_that_a_job_has_taken_are_not_counted_against_the_owner(uploads):
    upload = finished(uploads, content=b"x" * 90)
    assert code_of(uploads.create, ANN, length=11, name="") == "quota-exceeded"
    uploads.claim(upload.id, ANN, job_id="one")
    uploads.create(ANN, length=100, name="")


def test_an_upload_expires_a_while_after_it_was_last_written_to(uploads, clock, storage):
    upload = finished(uploads)
    clock.now_s += 90.0
    uploads.open(upload).close()
    assert uploads.expire(clock.now_s + 99.0) == 0
    assert uploads.expire(clock.now_s + 101.0) == 1
    assert code_of(uploads.get, upload.id, ANN) == "unknown-upload"
    assert not storage.upload(upload.id).exists()


def test_an_upload_that_took_long_to_arrive_is_kept_from_its_last_byte_on(uploads, clock):
    upload = uploads.create(ANN, length=10, name="")
    file = uploads.open(upload)
    clock.now_s += 500.0
    file.append(b"0123456789")
    settled = uploads.settle(upload)
    file.close()
    assert settled == uploads.get(upload.id, ANN)
    assert settled.expires_at == clock.now_s + 100.0
    assert uploads.expire(clock.now_s + 99.0) == 0


def test_a_form_that_took_long_to_arrive_is_kept_until_a_job_has_it(uploads, clock):
    upload = uploads.create(ANN, length=10, name="")
    file = uploads.open(upload, verify=True)
    clock.now_s += 500.0
    file.append(b"0123")
    complete = uploads.complete(upload, length=4)
    file.close()
    assert complete == uploads.get(upload.id, ANN)
    assert (complete.length, complete.unverified_from) == (4, None)
    assert uploads.expire(clock.now_s + 1.0) == 0


def test_what_a_job_takes_before_its_writer_ends_stays_as_the_job_has_it(uploads):
    upload = finished(uploads)
    uploads.claim(upload.id, ANN, job_id="one")
    taken = uploads.get(upload.id, ANN)
    uploads.settle(upload)
    assert uploads.get(upload.id, ANN) == taken


def test_an_upload_is_dropped_unless_a_job_has_it(uploads, storage, database):
    free, claimed, taken = (finished(uploads) for _ in range(3))
    uploads.claim(claimed.id, ANN, job_id="none")
    uploads.claim(taken.id, ANN, job_id="one")
    add_job(database, "one", taken.id)
    for upload in (free, claimed, taken):
        uploads.drop(upload.id)
    assert uploads.known([free.id, claimed.id, taken.id]) == {taken.id}
    assert [path.name for path in storage.upload("x").parent.iterdir()] == [taken.id]


def test_an_upload_that_is_being_written_to_does_not_expire(uploads, clock):
    upload = uploads.create(ANN, length=10, name="")
    file = uploads.open(upload)
    assert uploads.expire(clock.now_s + 1e6) == 0
    file.close()
    assert uploads.expire(clock.now_s + 1e6) == 1


def test_an_upload_lives_as_long_as_its_job(uploads, clock, storage, database):
    upload = finished(uploads)
    uploads.claim(upload.id, ANN, job_id="one")
    store = add_job(database, "one", upload.id)
    assert uploads.expire(clock.now_s + 1e6) == 0
    assert not uploads.discard(upload.id)
    assert storage.upload(upload.id).exists()
    store.cancel("one", policy=LeasePolicy(), now_s=clock.now_s)
    store.delete("one")
    assert uploads.discard(upload.id)
    assert not storage.upload(upload.id).exists()


def test_discarding_what_is_gone_or_was_never_taken_changes_nothing(uploads, storage):
    upload = finished(uploads)
    assert not uploads.discard(upload.id)
    assert storage.upload(upload.id).exists()
    assert not uploads.discard("nothing")
    assert not storage.upload("nothing").exists()


def test_an_upload_without_its_file_still_expires(uploads, clock, storage):
    upload = finished(uploads)
    storage.upload(upload.id).unlink()
    assert uploads.expire(clock.now_s + 1e6) == 1
    assert not storage.upload(upload.id).exists()


def test_an_upload_goes_when_the_results_of_its_job_expire(uploads, clock, storage, database):
    upload = finished(uploads)
    uploads.claim(upload.id, ANN, job_id="one")
    store = add_job(database, "one", upload.id)
    policy = LeasePolicy(keep_s=10.0)
    store.cancel("one", policy=policy, now_s=clock.now_s)
    assert store.sweep(policy=policy, now_s=clock.now_s + 11.0).expired == ("one",)
    assert uploads.expire(clock.now_s + 1e6) == 1
    assert not storage.upload(upload.id).exists()


def test_a_job_that_took_an_upload_has_time_to_be_accepted(uploads, clock, database):
    upload = finished(uploads)
    clock.now_s += 99.0
    uploads.claim(upload.id, ANN, job_id="one")
    assert uploads.expire(clock.now_s + 300.0) == 0
    assert uploads.expire(clock.now_s + 700.0) == 1


def test_bytes_that_were_never_verified_are_cut_by_the_next_writer(uploads, storage):
    upload = uploads.create(ANN, length=10, name="")
    file = uploads.open(upload)
    file.append(b"0123")
    file.close()
    file = uploads.open(upload, verify=True)
    file.append(b"bad")
    file.close()
    assert uploads.offset(uploads.get(upload.id, ANN)) == 4
    file = uploads.open(upload)
    assert file.size == 4
    file.close()
    assert storage.upload(upload.id).read_bytes() == b"0123"


def test_two_writers_exclude_each_other(uploads):
    upload = uploads.create(ANN, length=10, name="")
    file = uploads.open(upload)
    assert code_of(uploads.open, upload) == "upload-busy"
    file.close()
    uploads.open(upload).close()


def test_who_opens_an_upload_that_is_being_removed_leaves_no_file(uploads, storage):
    upload = uploads.create(ANN, length=10, name="")
    uploads.remove(upload)
    assert code_of(uploads.open, upload) == "unknown-upload"
    assert not storage.upload(upload.id).exists()
