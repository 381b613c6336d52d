"""Running the command as a user does: as a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def sightline(tmp_path_factory):
    """Run `sightline ARGUMENTS`; returns the finished process with its output as text."""
    environment = {
        **os.environ,
        "SIGHTLINE_CACHE_DIR": str(tmp_path_factory.mktemp("cache")),
        "PYTHONWARNINGS": "error",
    }

    def run(*arguments, cwd=None, start=False):
        command = [sys.executable, "-m", "sightline", *map(str, arguments)]
        options = {"cwd": cwd, "env": environment, "text": True}
        if start:
            return subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
            )
        return subprocess.run(command, capture_output=True, timeout=300, check=False, **options)

    return run


@pytest.fixture(scope="session")
def street(sightline, tmp_path_factory) -> Path:
    """The outputs of `sightline demo` on a short scene: the video, its truth, its tracks."""
    folder = tmp_path_factory.mktemp("street")
    done = sightline("demo", "--frames", "120", "--output", folder)
    assert done.returncode == 0, done.stderr
    return folder
