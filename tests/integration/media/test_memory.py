"""Reading takes the same memory however long the video is."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

PROGRAM = textwrap.dedent(
    """
    import gc, resource, sys
    from sightline.media.opening import open_source

    def peak_mib():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    gc.disable()  # frames must go when they are dropped, not some time later
    source = open_source(sys.argv[1])
    for frame in source.frames():
        if frame.seq == 60:
            early = peak_mib()
    print(frame.seq + 1, peak_mib() - early)
    """
)


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux")
@pytest.mark.parametrize("name", ["long.mp4", "long.mkv", "long.ts"])
def test_reading_a_long_video_takes_no_more_memory_than_its_beginning(name, write_video):
    path = write_video(name, count=600, size=(320, 240), codec_options={"preset": "ultrafast"})
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, check=True
    )
    frames, growth_mib = done.stdout.split()
    assert int(frames) == 600
    assert float(growth_mib) < 8  # 540 frames of this size are 119 MiB
