"""Peak memory of `sightline track` on real video: bounded, and no more for longer videos."""

import os
import sys

import av
import pytest


def repeat_video(source, target, times):
    """Copy the packets of a video several times in a row, without encoding."""
    with av.open(str(target), "w") as output:
        stream = None
        offset = 0
        for _ in range(times):
            with av.open(str(source)) as video:
                template = video.streams.video[0]
                if stream is None:
                    stream = output.add_stream_from_template(template)
                end = 0
                for packet in video.demux(template):
                    if packet.dts is None:
                        continue
                    end = max(end, packet.pts + packet.duration)
                    packet.pts += offset
                    packet.dts += offset
                    packet.stream = stream
                    output.mux(packet)
                offset += end


def peak_mib(*arguments):
    """Run `sightline` and return the peak of its resident memory."""
    process = os.posix_spawn(
        sys.executable, [sys.executable, "-m", "sightline", *map(str, arguments)], os.environ
    )
    _, status, usage = os.wait4(process, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return usage.ru_maxrss / 1024


@pytest.fixture(scope="module")
def pedestrians(shared_data):
    return shared_data / "videos" / "pedestrians.mp4"


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
    assert frames == 7950
    assert long_peak < short_peak * 1.1
