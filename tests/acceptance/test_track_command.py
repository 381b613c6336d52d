"""`sightline track` as a user meets it: outputs, exit statuses, interruption, rubbish."""

import csv
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pyarrow.parquet as pq
import pytest

ALL = "tracks,jsonl,csv,mot,coco,parquet,video"


@pytest.fixture(scope="module")
def tracked(sightline, street, tmp_path_factory):
    """One run with every output: the process, and the folder of the outputs."""
    output = tmp_path_factory.mktemp("tracked")
    done = sightline("track", street / "street.mp4", "-d", "demo", "-f", ALL, "-o", output)
    assert done.returncode == 0, done.stderr
    return done, output / "street"


def test_every_output_is_written_and_nothing_else(tracked):
    _, folder = tracked
    assert {path.name for path in folder.iterdir()} == {
        "annotated.mp4",
        "coco.json",
        "detections.jsonl",
        "mot.txt",
        "summary.json",
        "tracks.csv",
        "tracks.json",
        "tracks.parquet",
    }


def test_the_outputs_agree_with_each_other(tracked):
    _, folder = tracked
    tracks = json.loads((folder / "tracks.json").read_text())
    boxes = sum(len(track) for track in tracks.values())
    lines = (folder / "detections.jsonl").read_text().splitlines()
    tracked_boxes = sum(d["track_id"] > 0 for x in lines for d in json.loads(x)["detections"])
    coco = json.loads((folder / "coco.json").read_text())
    with (folder / "tracks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert boxes > 100
    assert len(lines) == 120
    assert tracked_boxes == boxes
    assert len((folder / "mot.txt").read_text().splitlines()) == boxes
    assert len(rows) == boxes
    assert pq.read_table(folder / "tracks.parquet").num_rows == boxes
    assert sum(a["track_id"] > 0 for a in coco["annotations"]) == boxes
    assert len(coco["images"]) == 120
    first = next(iter(tracks.values()))[0]
    assert first.keys() == {"class", "frame_number", "positions"}
    assert first["positions"].keys() == {"x1", "x2", "y1", "y2"}
    with av.open(str(folder / "annotated.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 120


def test_the_summary_says_what_was_done_and_with_what(tracked):
    _, folder = tracked
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["frames"] == 120
    assert summary["duration_s"] == pytest.approx(4.8, abs=0.05)
    assert summary["frames_per_second"] > 0
    assert {"read", "detect", "track", "draw", "sink:MotFile"} <= summary["steps"].keys()
    assert summary["losses"]["corrupt_packets"] == 0
    assert summary["complete"] is True
    detect = summary["stages"][0]
    assert len(detect["sha256"]) == 64
    assert detect["provider"] == "cpu"
    assert {"sightline", "python", "onnxruntime", "av"} <= summary["versions"].keys()
    assert summary["options"]["detector"] == "demo"


def test_without_a_terminal_progress_is_plain_lines_and_one_summary_line(tracked):
    done, folder = tracked
    assert "street: started" in done.stderr
    assert "\x1b" not in done.stderr + done.stdout
    (line,) = done.stdout.splitlines()
    assert line.startswith("street: 120 frames in ")
    assert str(folder) in line


def test_on_a_terminal_progress_is_a_bar_with_rate_and_remaining_time(street, tmp_path):
    shown = []

    def read(terminal):
        shown.append(os.read(terminal, 4096))
        return shown[-1]

    video, output = str(street / "street.mp4"), str(tmp_path)
    command = ["-m", "sightline", "track", video, "-d", "motion", "-f", "video", "-o", output]
    status = pty.spawn([sys.executable, *command], read)
    text = b"".join(shown).decode()
    assert os.waitstatus_to_exitcode(status) == 0
    assert re.search(r"\d+/120", text)
    assert re.search(r"[\d.]+ frames/s", text)
    assert re.search(r"\d:\d\d:\d\d", text)
    assert "street: 120 frames in" in text


def test_quiet_says_nothing_and_json_says_the_summary(sightline, street, tmp_path):
    video = street / "street.mp4"
    quiet = sightline("track", video, "-d", "motion", "-f", "mot", "-o", tmp_path, "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    told = sightline("track", video, "-d", "motion", "-f", "mot", "-o", tmp_path, "--json")
    assert json.loads(told.stdout) == json.loads((tmp_path / "street" / "summary.json").read_text())
    assert told.stderr == ""


def test_results_do_not_depend_on_how_many_threads_work(sightline, street, tmp_path, tracked):
    _, folder = tracked
    for parallel in (1, 3):
        output = tmp_path / str(parallel)
        done = sightline(
            "track", street / "street.mp4", "-d", "demo", "-f", "mot,jsonl", "-o", output,
            "--detector-option", f"parallel={parallel}",
            "--detector-option", "threads_per_run=1",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        for name in ("mot.txt", "detections.jsonl"):
            assert (output / "street" / name).read_bytes() == (folder / name).read_bytes()


def test_classes_and_confidence_select_detections(sightline, street, tmp_path):
    done = sightline(
        "track", street / "street.mp4", "-d", "demo", "--classes", "person,bicycle",
        "--confidence", "0.6", "-f", "jsonl", "-o", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "street" / "detections.jsonl").read_text().splitlines()
    found = [detection for line in lines for detection in json.loads(line)["detections"]]
    assert {detection["class"] for detection in found} <= {"person", "bicycle"}
    assert found
    assert min(detection["confidence"] for detection in found) > 0.6


def test_without_a_tracker_the_detections_are_written(sightline, street, tmp_path):
    done = sightline(
        "track", street / "street.mp4", "-d", "demo", "--tracker", "none", "-f", "mot,tracks",
        "-o", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = (tmp_path / "street" / "mot.txt").read_text().splitlines()
    assert rows
    assert {row.split(",")[1] for row in rows} == {"-1"}
    assert json.loads((tmp_path / "street" / "tracks.json").read_text()) == {}


def test_a_tracker_option_reaches_the_tracker(sightline, street, tmp_path):
    done = sightline(
        "track", street / "street.mp4", "-d", "motion", "--tracker-option", "max_age=7",
        "--tracker-option", "iou-threshold=0.2", "-f", "mot", "-o", tmp_path, "--json",
    )  # fmt: skip
    track = json.loads(done.stdout)["stages"][1]
    assert (track["max_age"], track["iou_threshold"]) == (7, 0.2)


def test_videos_of_one_name_get_folders_of_their_own(sightline, street, tmp_path):
    done = sightline(
        "track", street / "street.mp4", street / "street.mp4", "-d", "motion", "-f", "mot",
        "-o", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"street", "street-2"}


def test_a_video_that_cannot_be_used_does_not_end_the_others(sightline, street, tmp_path):
    done = sightline(
        "track", tmp_path / "none.mp4", street / "street.mp4", "-d", "motion", "-f", "mot",
        "-o", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("Error:") == 1
    assert (tmp_path / "out" / "street" / "mot.txt").is_file()


def rubbish(folder):
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("this is not a video\n" * 50)
    (folder / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n")
    (folder / "folder").mkdir()
    return ["empty.mp4", "text.mp4", "list.mp4", "folder", "missing.mp4", "no-scheme://x"]


def test_rubbish_gives_one_line_that_names_it_and_status_2_and_writes_nothing(sightline, tmp_path):
    for name in rubbish(tmp_path):
        source = name if "://" in name else tmp_path / name
        done = sightline("track", source, "-d", "motion", "-o", tmp_path / "out")
        assert done.returncode == 2, (name, done.stderr)
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert done.stderr.startswith("Error: ")
        assert Path(name).name in done.stderr
        assert done.stdout == ""
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-d", "yolo-q"], "yolo-q"),
        (["-d", "missing.onnx"], "missing.onnx"),
        (["-d", "demo", "--classes", "dragon"], "dragon"),
        (["-d", "demo", "--confidence", "1.5"], "1.5"),
        (["-d", "demo", "--layout", "pentagon"], "pentagon"),
        (["-d", "demo", "--provider", "abacus"], "abacus"),
        (["-d", "demo", "--tracker-option", "max_age"], "name=value"),
        (["-d", "demo", "--tracker-option", "max_rage=1"], "max_rage"),
        (["-d", "demo", "--tracker", "none", "--tracker-option", "max_age=1"], "needs a tracker"),
        (["-d", "demo", "--detector-option", "speed=9"], "speed"),
        (["-d", "demo", "-f", "mot,vhs"], "vhs"),
        (["-d", "demo", "-o", "/dev/null/out"], "/dev/null/out"),
    ],
)
def test_a_wrong_option_gives_status_2_and_names_it(
    sightline, street, arguments, message, tmp_path
):
    done = sightline("track", street / "street.mp4", "-o", tmp_path / "out", *arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_missing_extra_is_named_and_nothing_is_written(street, tmp_path):
    (tmp_path / "pyarrow.py").write_text("raise ImportError\n")
    done = subprocess.run(
        [sys.executable, "-m", "sightline", "track", str(street / "street.mp4"), "-d", "motion",
         "-f", "mot,parquet", "-o", str(tmp_path / "out")],
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "pip install 'sightline[parquet]'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_truncated_video_gives_its_frames_a_warning_and_status_3(sightline, street, tmp_path):
    whole = (street / "street" / "annotated.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    done = sightline("track", tmp_path / "cut.mp4", "-d", "motion", "-f", "jsonl", "-o", tmp_path)
    assert done.returncode == 3, done.stderr
    assert "Warning:" in done.stderr
    summary = json.loads((tmp_path / "cut" / "summary.json").read_text())
    lines = (tmp_path / "cut" / "detections.jsonl").read_text().splitlines()
    assert 40 < summary["frames"] < 120
    assert len(lines) == summary["frames"]
    assert summary["losses"]["truncated"] is True
    assert summary["complete"] is False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_completes_the_outputs_of_the_finished_frames(sightline, tmp_path, number):
    process = sightline(
        "track", "scene:street?frames=100000", "-d", "motion", "-f", ALL, "-o", tmp_path, start=True
    )
    try:
        growing = tmp_path / "street-0" / "detections.jsonl.part"
        deadline = time.monotonic() + 60
        while not (growing.exists() and growing.stat().st_size > 10_000):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    folder = tmp_path / "street-0"
    assert not list(folder.glob("*.part"))
    frames = json.loads((folder / "summary.json").read_text())["frames"]
    assert len((folder / "detections.jsonl").read_text().splitlines()) == frames
    assert json.loads((folder / "tracks.json").read_text())
    assert len(json.loads((folder / "coco.json").read_text())["images"]) == frames
    assert pq.read_table(folder / "tracks.parquet").num_rows > 0
    with av.open(str(folder / "annotated.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == frames
