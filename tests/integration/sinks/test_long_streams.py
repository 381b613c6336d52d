"""Sinks in processes of their own: memory, what a kill leaves behind, and who may write."""

import json
import signal
import subprocess
import sys
from contextlib import suppress

import pyarrow.parquet as pq
import pytest
from tests.lengths import short_or_long

WRITE = """
import resource, signal, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from sightline.detections import Detections
from sightline.frame import Frame
from sightline.sinks.coco import CocoFile
from sightline.sinks.csv import CsvFile
from sightline.sinks.jsonl import JsonlFile
from sightline.sinks.mot import MotFile
from sightline.sinks.parquet import ParquetFile
from sightline.sinks.tracks import TracksFile
from sightline.stream import StreamInfo

folder, frames, objects = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
kinds = (CocoFile, CsvFile, JsonlFile, MotFile, ParquetFile, TracksFile)
sinks = [kind(folder / kind.__name__) for kind in kinds]
for sink in sinks:
    sink.open(StreamInfo(name="long", width=8, height=6, time_base=Fraction(1, 25)))
image = np.zeros((6, 8, 3), np.uint8)
corners = np.random.default_rng(0).uniform(0, 900, (objects, 2))
try:
    for seq in range(frames):
        detections = Detections(
            xyxy=np.hstack([corners, corners + 50 + seq % 7]),
            track_id=np.arange(objects) + 1 + seq // 50 * 3,
            class_names=("person",),
        )
        frame = Frame(image=image, seq=seq, pts=seq, detections=detections)
        for sink in sinks:
            sink.write(frame)
        if seq == 100:
            print("writing", flush=True)
except KeyboardInterrupt:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
for sink in sinks:
    sink.close()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
OUTPUTS = {"CocoFile", "CsvFile", "JsonlFile", "MotFile", "ParquetFile", "TracksFile"}


def start(folder, *, frames, objects, stderr=None):
    arguments = [sys.executable, "-c", WRITE, str(folder), str(frames), str(objects)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=stderr, text=True)


def names_in(folder):
    return {entry.name for entry in folder.iterdir()}


def peak_mib(folder, *, frames):
    with start(folder, frames=frames, objects=40) as process:
        output, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return int(output.split()[-1]) / 1024


def test_memory_does_not_grow_with_the_length_of_the_stream(tmp_path):
    short = peak_mib(tmp_path, frames=1_000)
    long = peak_mib(tmp_path, frames=short_or_long(4_000, 40_000))
    assert names_in(tmp_path) == OUTPUTS
    assert long - short < 8


@pytest.fixture
def endless_writer(tmp_path):
    """Give a process that writes until it is told to stop, and is writing by now."""
    with start(tmp_path, frames=10**9, objects=5) as process:
        assert process.stdout.readline() == "writing\n"
        yield process
        process.kill()


def interrupt(process):
    """Interrupt a process until it ends: Python ignores what comes while it tidies up an object."""
    for _ in range(12):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=10)
            return
    raise TimeoutError("it takes no notice")


def test_a_killed_process_leaves_its_unfinished_files_and_nothing_else(tmp_path, endless_writer):
    endless_writer.kill()
    endless_writer.wait(timeout=60)
    assert names_in(tmp_path) == {f"{name}.part" for name in OUTPUTS}


def test_another_process_takes_over_what_a_killed_one_left_but_not_what_one_writes(
    tmp_path, endless_writer
):
    with start(tmp_path, frames=1, objects=5, stderr=subprocess.PIPE) as second:
        _, errors = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "CocoFile: another run, or another output of this run, is writing it" in errors
    assert names_in(tmp_path) == {f"{name}.part" for name in OUTPUTS}
    endless_writer.kill()
    endless_writer.wait(timeout=60)
    with start(tmp_path, frames=3, objects=5) as third:
        third.communicate(timeout=60)
    assert third.returncode == 0
    assert names_in(tmp_path) == OUTPUTS
    assert len((tmp_path / "JsonlFile").read_text().splitlines()) == 3


def test_an_interrupt_leaves_valid_files_of_the_finished_frames(tmp_path, endless_writer):
    interrupt(endless_writer)
    assert endless_writer.returncode == 0
    assert names_in(tmp_path) == OUTPUTS
    lines = (tmp_path / "JsonlFile").read_text().splitlines()
    seqs = [json.loads(line)["seq"] for line in lines]
    assert seqs == list(range(len(seqs)))
    assert len(seqs) > 100
    images = json.loads((tmp_path / "CocoFile").read_text())["images"]
    assert abs(len(images) - len(seqs)) <= 1
    tracks = json.loads((tmp_path / "TracksFile").read_text())
    boxes = sum(len(entries) for entries in tracks.values())
    assert abs(boxes - 5 * len(seqs)) <= 5
    rows = pq.read_table(tmp_path / "ParquetFile").num_rows
    assert abs(rows - 5 * len(seqs)) <= 5
