import os

import pytest

from sightline.jobs.data_lock import DataFolderLock, FolderInUseError


def test_a_folder_belongs_to_one_at_a_time(tmp_path):
    folder = tmp_path / "data"
    with (
        DataFolderLock(folder),
        pytest.raises(FolderInUseError, match=rf"{folder} is in use .*\(process {os.getpid()}\)"),
    ):
        DataFolderLock(folder)


def test_a_folder_that_was_let_go_can_be_taken_again(tmp_path):
    with DataFolderLock(tmp_path) as lock:
        lock.close()
        DataFolderLock(tmp_path).close()
