"""Locks of files, as those see them who come second."""

import os

import pytest

from sightline.file_locks import leads_to, try_lock


@pytest.fixture
def opened(tmp_path):
    """Opens the same file again and again."""
    descriptors = []

    def open_it():
        descriptors.append(os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT))
        return descriptors[-1]

    yield open_it
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("first", "second", "granted"),
    [(False, False, False), (False, True, False), (True, False, False), (True, True, True)],
)
def test_only_shared_locks_go_together(opened, first, second, granted):
    assert try_lock(opened(), shared=first)
    assert try_lock(opened(), shared=second) is granted


def test_a_lock_is_free_when_its_holder_closes_it(opened, tmp_path):
    holder = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    assert try_lock(holder)
    assert not try_lock(opened())
    os.close(holder)
    assert try_lock(opened())


def test_a_path_leads_to_a_file_until_it_is_moved_or_replaced(opened, tmp_path):
    path, descriptor = tmp_path / "lock", opened()
    assert leads_to(path, descriptor)
    path.rename(tmp_path / "elsewhere")
    assert not leads_to(path, descriptor)
    path.touch()
    assert not leads_to(path, descriptor)
