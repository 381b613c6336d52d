import shutil
import threading

from tests.job_values import a_job

from sightline.jobs.files import Storage
from sightline.jobs.shelf import Shelves

SIZES = {f"{number}.csv": number for number in range(40)}


def write(folder):
    folder.mkdir(parents=True)
    for name, size in SIZES.items():
        (folder / name).write_bytes(b"x" * size)


def test_results_are_the_files_with_their_sizes(tmp_path):
    storage, job = Storage(tmp_path), a_job(1)
    with Shelves().open(storage, None, job) as shelf:
        assert shelf.results() == {}

        write(storage.job(job.id).results)
        (storage.job(job.id).results / "folder").mkdir()

        assert shelf.results() == SIZES


def test_results_can_be_asked_for_while_they_are_deleted(tmp_path):
    storage, job = Storage(tmp_path), a_job(1)
    folder = storage.job(job.id).results
    is_over = threading.Event()

    def write_and_delete():
        while not is_over.is_set():
            write(folder)
            shutil.rmtree(folder)

    thread = threading.Thread(target=write_and_delete)
    thread.start()
    try:
        with Shelves().open(storage, None, job) as shelf:
            seen = [shelf.results() for _ in range(1000)]
            while not any(seen):  # the other thread gets its turn, too
                seen.append(shelf.results())
    finally:
        is_over.set()
        thread.join()

    assert any(seen)
    assert set().union(*seen) <= SIZES.keys()
