"""`demo`, `run`, `eval`, `models`, `doctor` and the README, as a user meets them."""

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.graph_witness import until

ROOT = Path(__file__).parents[2]


def test_the_demo_scores_the_tracks_of_its_scene(sightline, street):
    scored = sightline("eval", street / "street-truth.txt", street / "street" / "mot.txt", "--json")
    assert scored.returncode == 0, scored.stderr
    scores = json.loads(scored.stdout)
    assert scores["mota"] > 0.7
    assert scores["idf1"] > 0.7
    assert scores["hota"] > 0.5


def test_the_demo_prints_mota_idf1_hota_and_identity_switches(sightline, tmp_path):
    done = sightline("demo", "--frames", "40", "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("MOTA", "IDF1", "HOTA", "id switches"):
        assert re.search(rf"^{name}\s+\d", done.stdout, re.MULTILINE)


def test_the_demo_takes_the_users_own_video(sightline, street, tmp_path):
    done = sightline("demo", street / "street.mp4", "-d", "motion", "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "street" / "annotated.mp4").is_file()
    assert "MOTA" not in done.stdout


def test_ground_truth_against_itself_scores_one(sightline, street):
    truth = street / "street-truth.txt"
    scores = json.loads(sightline("eval", truth, truth, "--json").stdout)
    assert (scores["mota"], scores["idf1"], scores["hota"]) == (1, 1, 1)
    assert scores["id_switches"] == 0


def test_eval_names_a_file_that_is_no_result(sightline, street, tmp_path):
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("1,2,3\n")
    done = sightline("eval", street / "street-truth.txt", wrong)
    assert done.returncode == 2
    assert "wrong.txt line 1" in done.stderr


def test_run_runs_a_pipeline_file_with_the_users_own_stage(sightline, tmp_path):
    (tmp_path / "half.py").write_text(
        "import sightline as sl\n"
        "class EverySecond(sl.Stage):\n"
        "    def process(self, frame):\n"
        "        return None if frame.seq % 2 else frame\n"
    )
    (tmp_path / "pipeline.yaml").write_text(
        "source: scene:street?frames=20\n"
        "stages:\n  - half:EverySecond\n  - detect: {detector: demo}\n  - track\n"
        "sinks:\n  - jsonl: {path: out.jsonl}\n"
    )
    done = sightline("run", "pipeline.yaml", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["dropped"] == {"everysecond": 10}
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(0, 20, 2))


def test_run_gives_status_1_when_a_stage_fails_and_says_where(sightline, tmp_path):
    (tmp_path / "bad.py").write_text(
        "import sightline as sl\n"
        "class Bad(sl.Stage):\n"
        "    def process(self, frame):\n"
        "        return frame if frame.seq < 5 else 1 / 0\n"
    )
    (tmp_path / "pipeline.yaml").write_text("stages: ['bad:Bad']\n")
    arguments = ["run", "pipeline.yaml", "--source", "scene:street?frames=9"]
    done = sightline(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert "stage 'bad' failed on frame 5: ZeroDivisionError" in done.stderr
    allowed = sightline(*arguments, "--max-failures", "4", "--json", cwd=tmp_path)
    assert allowed.returncode == 3, allowed.stderr
    assert [f["seq"] for f in json.loads(allowed.stdout)["failed"]] == [5, 6, 7, 8]


def test_run_refuses_two_sinks_of_one_path_and_leaves_nothing(sightline, tmp_path):
    (tmp_path / "pipeline.yaml").write_text(
        "source: scene:street?frames=9\n"
        "stages:\n  - detect: {detector: demo}\n  - track\n"
        "sinks: [{mot: {path: out/same.txt}}, {csv: {path: ./out/same.txt}}]\n"
    )
    done = sightline("run", "pipeline.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot write out/same.txt: another run, or another output of this run" in done.stderr
    assert not list((tmp_path / "out").iterdir())


def test_a_second_run_leaves_the_output_of_the_first_alone(sightline, tmp_path):
    (tmp_path / "pipeline.yaml").write_text(
        "source: scene:street?frames=100000\nstages: [draw]\nsinks: [jsonl: {path: out.jsonl}]\n"
    )
    first = sightline("run", "pipeline.yaml", "--json", cwd=tmp_path, start=True)
    try:
        until(lambda: (part := tmp_path / "out.jsonl.part").exists() and part.stat().st_size)
        second = sightline("run", "pipeline.yaml", "-s", "scene:street?frames=3", cwd=tmp_path)
        first.send_signal(signal.SIGINT)
        stdout, errors = first.communicate(timeout=60)
    finally:
        first.kill()
    assert second.returncode == 2
    assert "cannot write out.jsonl: another run" in second.stderr
    assert first.returncode == 130, errors
    seqs = [json.loads(line)["seq"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert seqs == list(range(json.loads(stdout)["frames"]))


def test_a_port_for_the_view_that_is_taken_is_noticed_before_any_output_is_made(
    sightline, tmp_path
):
    (tmp_path / "pipeline.yaml").write_text(
        "source: scene:street?frames=9\nstages: [draw]\nsinks: [jsonl: {path: out/a.jsonl}]\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = sightline("run", "pipeline.yaml", "--web", port, cwd=tmp_path)
    assert done.returncode == 2
    assert f"port {port}: Address already in use" in done.stderr
    assert not (tmp_path / "out").exists()


def test_run_without_a_source_says_how_to_name_one(sightline, tmp_path):
    (tmp_path / "pipeline.yaml").write_text("stages: [draw]\n")
    done = sightline("run", tmp_path / "pipeline.yaml")
    assert done.returncode == 2
    assert "--source" in done.stderr


def test_models_lists_the_catalogue_with_licence_and_size(sightline):
    done = sightline("models", "list")
    assert done.returncode == 0, done.stderr
    assert re.search(r"yolox-s .*Apache-2.0", done.stdout)
    assert "demo" in done.stdout


def test_models_inspect_says_how_a_model_is_read(sightline):
    done = sightline("models", "inspect", "demo")
    assert done.returncode == 0, done.stderr
    for word in ("layout", "person", "sha256", "float32"):
        assert word in done.stdout


def test_models_pull_without_network_says_what_to_place_where(sightline, monkeypatch):
    monkeypatch.setenv("SIGHTLINE_OFFLINE", "1")
    done = subprocess.run(
        [sys.executable, "-m", "sightline", "models", "pull", "yolox-s"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "c5c2d13e59ae883e6af3b45daea64af4833a4951c92d116ec270d9ddbe998063" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_doctor_finds_this_machine_able(sightline):
    done = sightline("doctor")
    assert done.returncode == 0, done.stdout
    for subject in ("onnxruntime", "H.264 encoder", "inference providers", "shared memory"):
        assert subject in done.stdout


def test_an_unknown_command_and_no_command_are_usage(sightline):
    assert sightline("trak").returncode == 2
    assert "Commands" in sightline("--help").stdout
    assert sightline("--version").stdout.startswith("sightline, version ")


def test_the_example_in_the_readme_runs(tmp_path):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len([line for line in example.splitlines() if line.strip()]) <= 15
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "100 frames True" in done.stdout
    assert (tmp_path / "street.mp4").stat().st_size > 10_000


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.stem)
def test_an_example_runs_and_keeps_to_one_idea(example, tmp_path):
    assert len(example.read_text(encoding="utf-8").splitlines()) <= 60
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
