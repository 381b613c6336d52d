"""A program with a graph that is killed leaves no process, and in the end nothing at all."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from tests.graph_witness import is_dead

from sightline.transport.run_directory import RunDirectory
from sightline.transport.segment import segment_folder

ROOT = Path(__file__).parents[3]
PARENT = Path(__file__).with_name("graph_parent.py")


@pytest.mark.parametrize("task", ["in C code", "asleep", "at work"])
def test_a_killed_program_leaves_no_process_and_the_next_start_removes_the_rest(task):
    with tempfile.TemporaryDirectory(prefix="sl-") as folder:
        base = Path(folder)
        (base / "begun").mkdir()
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(
            [sys.executable, PARENT, base, task],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        ) as parent:
            try:
                run_id, *pids = parent.stdout.readline().split()
                assert list(segment_folder().glob(f"sightline-{run_id}-*"))
            finally:
                parent.kill()
            killed_s = time.monotonic()
            assert len(pids) >= 5  # feeder, 2 handlers, fork server, resource tracker
            assert all(is_dead(int(pid)) for pid in pids)
            print(f"{time.monotonic() - killed_s:.3f} s until the last one")  # noqa: T201

        assert list((base / "runs").iterdir())
        with RunDirectory.create(base / "runs") as run:
            assert [path.name for path in (base / "runs").iterdir()] == [run.run_id]
            assert not list(segment_folder().glob(f"sightline-{run_id}-*"))
