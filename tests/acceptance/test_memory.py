"""Peak memory of `sightline track` on real video: bounded, and no more for longer videos."""

import subprocess
import sys
from itertools import islice

import av
import pytest
from tests.lengths import short_or_long

FRAMES = short_or_long(200, 795)  # of 795


def repeat_video(source, target, times):
    """Copy the first packets of a video several times in a row, without encoding."""
    with av.open(str(target), "w") as output:
        stream = None
        offset = 0
        for _ in range(times):
            with av.open(str(source)) as video:
                template = video.streams.video[0]
                if stream is None:
                    stream = output.add_stream_from_template(template)
                end = 0
                packets = (packet for packet in video.demux(template) if packet.dts is not None)
                for packet in islice(packets, FRAMES):
                    end = max(end, packet.pts + packet.duration)
                    packet.pts += offset
                    packet.dts += offset
                    packet.stream = stream
                    output.mux(packet)
                offset += end


# A process begins with the peak of the one that it was made of: here that must be a small one, and
# not that of the tests.
MEASURE = """
import os, sys
process = os.posix_spawn(sys.executable, [sys.executable, *sys.argv[1:]], os.environ)
_, status, usage = os.wait4(process, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss / 1024)
"""


def peak_mib(*arguments):
    """Run `sightline` and return the peak of its resident memory."""
    command = [sys.executable, "-S", "-c", MEASURE, "-m", "sightline", *map(str, arguments)]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    status, peak = said.split()
    assert status == "0"
    return float(peak)


@pytest.fixture(scope="module")
def pedestrians(shared_data, tmp_path_factory):
    path = tmp_path_factory.mktemp("pedestrians") / "pedestrians.mp4"
    repeat_video(shared_data / "videos" / "pedestrians.mp4", path, 1)
    return path


def test_a_model_on_real_video_stays_under_600_mib(shared_data, pedestrians, tmp_path):
    model = shared_data / "models" / "yolox_nano.onnx"
    peak = peak_mib("track", pedestrians, "-d", model, "-f", "video,mot", "-o", tmp_path, "-q")
    assert 50 < peak < 600


def test_a_video_ten_times_as_long_needs_no_more_memory(pedestrians, tmp_path):
    long = tmp_path / "long.mp4"
    repeat_video(pedestrians, long, 10)
    formats = "tracks,jsonl,csv,mot,coco,parquet"
    arguments = ("-d", "motion", "-f", formats, "-o", tmp_path / "out", "-q")
    short_peak = peak_mib("track", pedestrians, *arguments)
    long_peak = peak_mib("track", long, *arguments)
    frames = (tmp_path / "out" / "long" / "detections.jsonl").read_text().count("\n")
    assert frames == 10 * FRAMES
    assert long_peak < short_peak * 1.1
