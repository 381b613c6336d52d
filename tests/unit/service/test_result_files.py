"""The index of results while a final pass begins, is published, or was killed."""

import threading
from dataclasses import replace

import pytest
from tests.job_values import a_job
from tests.killed_writer import break_off

from sightline.errors import FormatError
from sightline.jobs.files import RESULTS_INDEX, Storage
from sightline.jobs.publish import prepare, publish
from sightline.jobs.results_index import IndexFile
from sightline.jobs.shelf import Shelves
from sightline.jobs.states import JobState
from sightline.service.problems import ProblemError
from sightline.service.result_files import ask_index, find_result


@pytest.fixture
def storage(tmp_path):
    return Storage(tmp_path)


@pytest.fixture
def files(storage):
    return storage.job(a_job(1).id)


@pytest.fixture
def shelf(storage):
    with Shelves().open(storage, None, a_job(1)) as shelf:
        yield shelf


def begin(files, token="t"):
    """Begin a final pass; give its index, which has no frames."""
    prepare(files, token)
    index = IndexFile(files.final(token) / RESULTS_INDEX)
    index.open(None)
    return index


def finish(files, token="t"):
    begin(files, token).close()
    publish(files, token)


def count(index):
    return index.counts(10)


def refusal(shelf):
    with pytest.raises(ProblemError) as caught:
        ask_index(shelf, count)
    return caught.value


def test_a_pass_that_has_just_begun_has_no_results(shelf, files):
    prepare(files, "t")
    (files.final("t") / RESULTS_INDEX).touch()
    assert refusal(shelf).code == "no-result"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (JobState.RUNNING, "the job has no results yet"),
        (JobState.FAILED, "the job has ended without results"),
        (JobState.EXPIRED, "the results of the job were removed"),
    ],
)
def test_it_is_said_why_there_are_no_results(storage, state, said):
    with Shelves().open(storage, None, replace(a_job(1), state=state)) as shelf:
        assert refusal(shelf).detail.startswith(said)


def test_the_files_of_an_expired_job_were_removed(storage):
    job = replace(a_job(1), state=JobState.EXPIRED)
    with (
        Shelves().open(storage, None, job) as shelf,
        pytest.raises(ProblemError, match="were removed"),
    ):
        find_result(shelf, "mot")


def test_until_a_pass_has_begun_its_index_the_results_before_it_are_shown(shelf, files):
    finish(files)
    prepare(files, "u")
    (files.final("u") / RESULTS_INDEX).touch()
    assert ask_index(shelf, count) == []


def test_of_a_pass_that_was_killed_while_it_wrote_clients_ask_again(shelf, files):
    begin(files).close()
    break_off(files.final("t") / RESULTS_INDEX)
    problem = refusal(shelf)
    assert (problem.code, problem.status) == ("unavailable", 503)
    assert int(problem.headers["Retry-After"]) > 0


def test_a_pass_that_ends_while_its_index_is_read_is_asked_once_more(shelf, files):
    begin(files).close()
    asked = []

    def count_while_it_ends(index):
        asked.append(index)
        if len(asked) == 1:
            break_off(files.final("t") / RESULTS_INDEX)
        else:
            assert files.results.is_dir()
        try:
            return index.counts(10)
        finally:
            if len(asked) == 1:
                finish(files, "u")

    assert ask_index(shelf, count_while_it_ends) == []
    assert len(asked) == 2


def test_results_that_count_but_cannot_be_read_are_a_defect(shelf, files):
    finish(files)
    (files.results / RESULTS_INDEX).write_text("no database" * 100)
    with pytest.raises(FormatError, match="cannot read"):
        ask_index(shelf, count)


def test_results_can_be_asked_for_while_passes_begin_and_are_published(shelf, files):
    is_over = threading.Event()
    seen = set()

    def ask():
        while not is_over.is_set():
            try:
                seen.add(len(ask_index(shelf, count)))
            except ProblemError as problem:
                seen.add(problem.code)

    def ask_and_tell():
        try:
            ask()
        except FormatError as error:
            seen.add(str(error))

    readers = [threading.Thread(target=ask_and_tell) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for number in range(100):
            finish(files, f"t{number}")
    finally:
        is_over.set()
        for reader in readers:
            reader.join()

    assert 0 in seen
    assert seen <= {0, "no-result"}
