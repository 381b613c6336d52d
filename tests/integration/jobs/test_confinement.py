"""What a process cannot do any more once it is confined; each in a process of its own."""

from __future__ import annotations

import platform
import signal
import subprocess
import sys

import pytest

BEGIN = """
import os, socket, subprocess, sys, threading
from sightline.jobs.confinement import confine
from sightline.jobs.limits import MediaLimits
confine(MediaLimits(memory_bytes=2**30, cpu_s=1, wall_s=60))
"""

filtered = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64"), reason="there is no filter for this machine"
)


def run(code):
    command = [sys.executable, "-c", BEGIN + code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@filtered
@pytest.mark.parametrize(
    "code",
    [
        "socket.socket()",
        "socket.socket(socket.AF_UNIX)",
        "os.fork()",
        "subprocess.run([sys.executable, '-c', ''])",
        "os.execv(sys.executable, [sys.executable, '-c', ''])",
        "os.kill(os.getppid(), 0)",
    ],
)
def test_neither_the_network_nor_other_processes_can_be_reached(code):
    assert "PermissionError" in run(code).stderr


def test_threads_and_pictures_are_still_made():
    done = run(
        """
import av
import numpy as np
thread = threading.Thread(target=print, args=("from a thread",))
thread.start()
thread.join()
codec = av.CodecContext.create("libx264", "w")
codec.width, codec.height, codec.pix_fmt, codec.time_base = 640, 480, "yuv420p", "1/25"
codec.thread_count = 4
codec.encode(av.VideoFrame(640, 480, "yuv420p"))
print(len(codec.encode(None)))
""".replace('"1/25"', "__import__('fractions').Fraction(1, 25)")
    )
    assert done.stdout == "from a thread\n1\n", done.stderr


def test_memory_beyond_the_limit_is_not_had():
    assert "MemoryError" in run("bytes(2**31)").stderr


def test_processor_time_beyond_the_limit_ends_the_process():
    assert run("while True: pass").returncode == -signal.SIGXCPU


def test_no_large_file_is_written():
    code = """
import signal, tempfile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with tempfile.TemporaryFile() as file:
    file.write(bytes(65 * 2**20))
"""
    assert "File too large" in run(code).stderr
