"""The unfinished file of an output: whose it is, however many want it."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from sightline.sinks.part import PartFile


def test_what_is_in_the_file_stays_until_it_is_overwritten(tmp_path):
    (tmp_path / "a.part").write_text("old")
    part = PartFile(tmp_path / "a")
    assert part.path.read_text() == "old"
    part.release()
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_taken_is_refused_until_it_is_released(tmp_path):
    first = PartFile(tmp_path / "a")
    with pytest.raises(BlockingIOError, match="is writing it; choose another path"):
        PartFile(tmp_path / "a")
    first.release()
    PartFile(tmp_path / "a").release()


def test_after_a_move_the_name_is_free_and_a_release_removes_nothing(tmp_path):
    first = PartFile(tmp_path / "a")
    first.path.write_text("first")
    first.move()
    second = PartFile(tmp_path / "a")
    first.release()
    assert second.path.exists()
    assert (tmp_path / "a").read_text() == "first"
    second.release()


def test_of_many_writers_at_once_each_finds_its_own_text_in_what_it_wrote(tmp_path):
    """Each moves or removes the file just when others open it."""

    def write_often(writer):
        turn = 0
        while turn < 100:
            with suppress(BlockingIOError):
                write(PartFile(tmp_path / "a"), f"{writer} {turn}", is_moved=turn % 2 == 0)
                turn += 1

    def write(part, text, *, is_moved):
        try:
            part.path.write_text(text)
            assert part.path.read_text() == text
            if is_moved:
                part.move()
        finally:
            part.release()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write_often, range(4)))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
