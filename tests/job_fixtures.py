"""Job services that leave nothing behind, or the test fails."""

import pytest
from tests.graph_witness import is_dead
from tests.job_service import JobService, mot_of, worker_processes, write_video


@pytest.fixture(scope="session")
def street(tmp_path_factory):
    """A video of some chunks, and `mot.txt` of the inline run over it."""
    folder = tmp_path_factory.mktemp("street")
    video = write_video(folder / "street.mp4")
    return video, mot_of(video, folder)


@pytest.fixture
def service(tmp_path, fork_server):
    made = JobService(tmp_path / "data")
    try:
        yield made
        made.close()
        assert [pid for pid in worker_processes() if not is_dead(pid, 5)] == []
    finally:
        made.close()
