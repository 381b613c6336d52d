"""`sightline run` as a graph, and the commands that look at it and steer it."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from tests.graph_witness import PATIENCE_S, until
from tests.lengths import variants

import sightline as sl
from sightline.errors import GraphError
from sightline.graph.runs import ControlClient, find_run

SCENE = "scene:street?width=320&height=240&frames={frames}&seed={seed}"
PIPELINE = """
stages:
- detect: {detector: demo}
- track
sinks:
- mot: {path: "out/{stream}.txt"}
"""


def scene(frames=60, seed=1):
    return SCENE.format(frames=frames, seed=seed)


ENDLESS = scene(frames=1_000_000)


class Started:
    """A `sightline run` that goes on; what it writes is in files."""

    def __init__(self, process, stdout, stderr):
        self.process, self._stdout, self._stderr = process, stdout, stderr

    @property
    def stdout(self):
        return self._stdout.read_text()

    @property
    def stderr(self):
        return self._stderr.read_text()

    def end(self):
        return self.process.wait(PATIENCE_S)


class Command:
    """Runs `sightline` in a folder, with a folder of runs of its own."""

    def __init__(self, folder, runs):
        self.folder = folder
        self.runs = Path(runs)
        self.started = []
        self.environment = {
            **os.environ,
            "SIGHTLINE_RUNTIME_DIR": runs,
            "PYTHONWARNINGS": "error",
        }

    def __call__(self, *arguments):
        return subprocess.run(
            self._words(arguments),
            cwd=self.folder, env=self.environment,
            capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip

    def succeed(self, *arguments):
        done = self(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *arguments):
        """Start a command that goes on."""
        number = len(self.started)
        stdout, stderr = self.folder / f"{number}.out", self.folder / f"{number}.err"
        with stdout.open("w") as out, stderr.open("w") as err:
            process = subprocess.Popen(
                self._words(arguments),
                cwd=self.folder, env=self.environment, stdout=out, stderr=err,
            )  # fmt: skip
        self.started.append(Started(process, stdout, stderr))
        return self.started[-1]

    def stats(self):
        """Ask the only run for its account, without a process; None while it is not there."""
        with (
            suppress(GraphError),
            ControlClient(find_run(self.runs, None).run_id, self.runs) as client,
        ):
            return client.stats()

    def until_stats(self, condition):
        """Wait until the account of the only run is as it should be, and return it."""
        return until(lambda: (now := self.stats()) and condition(now) and now)

    def _words(self, arguments):
        return [sys.executable, "-m", "sightline", *map(str, arguments)]

    def close(self):
        for started in self.started:
            with suppress(ProcessLookupError):
                started.process.kill()
            started.process.wait()


@pytest.fixture
def sightline(tmp_path):
    (tmp_path / "pipeline.yaml").write_text(PIPELINE, encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="sl-") as folder:
        command = Command(tmp_path, f"{folder}/runs")
        yield command
        command.close()


def frames_in(path):
    """Read the numbers of the frames of a MOT file; fail if a line is damaged."""
    lines = [line.split(",") for line in path.read_text().splitlines()]
    assert {len(line) for line in lines} <= {10}
    return [int(line[0]) for line in lines]


def test_handlers_give_the_same_bytes_as_one_process(sightline, tmp_path):
    sightline.succeed("run", "pipeline.yaml", "-s", scene())
    (result,) = (tmp_path / "out").iterdir()
    expected = result.read_bytes()
    result.unlink()
    summary = json.loads(
        sightline.succeed("run", "pipeline.yaml", "-s", scene(), "--handlers", "2", "--json")
    )
    assert result.read_bytes() == expected
    assert expected
    assert summary["frames"] == 60
    assert summary["complete"] is True


def test_the_window_of_a_graph_is_bounded_on_the_command_line(sightline):
    words = ("run", "pipeline.yaml", "-s", scene(), "--handlers", "4", "--json", "--window-bytes")
    summary = json.loads(sightline.succeed(*words, "1M"))
    assert summary["frames"] == 60
    assert summary["options"]["window_bytes"] == 2**20
    refused = sightline(*words, "100K")
    assert refused.returncode == 2
    assert "window_bytes=102400 holds no frame of stream 'street-1'" in refused.stderr


def test_several_sources_have_outputs_and_counts_of_their_own(sightline, tmp_path):
    sources = ["-s", scene(seed=1), "-s", scene(frames=30, seed=2)]
    done = sightline("run", "pipeline.yaml", *sources, "--handlers", "2", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert {name: s["frames"] for name, s in summary["streams"].items()} == {
        "street-1": 60,
        "street-2": 30,
    }
    for name, stream in summary["streams"].items():
        rows = frames_in(tmp_path / "out" / f"{name}.txt")
        assert 0 < max(rows) <= stream["frames"]
        assert 0 < len(rows) <= sum(stream["detections"].values())
    total = sum(sum(s["detections"].values()) for s in summary["streams"].values())
    assert sum(summary["detections"].values()) == total
    assert summary["sources"] == [scene(seed=1), scene(frames=30, seed=2)]


def test_the_summary_for_people_names_every_stream(sightline):
    done = sightline(
        "run", "pipeline.yaml", "-s", scene(seed=1), "-s", scene(seed=2), "--handlers", "1"
    )
    assert done.returncode == 0, done.stderr
    first, second, total = done.stdout.splitlines()
    assert {first.partition(":")[0], second.partition(":")[0]} == {"street-1", "street-2"}
    assert all("under way" in line and "age p50" in line for line in (first, second))
    assert total.startswith("all: 120 frames")
    assert "run " in done.stderr


def test_auto_says_what_it_chose_and_why(sightline):
    done = sightline("run", "pipeline.yaml", "-s", scene(), "--handlers", "auto")
    assert done.returncode == 0, done.stderr
    assert "Chose " in done.stderr
    assert "ms per frame" in done.stderr


def test_a_graph_without_a_stage_to_share_out_says_so(sightline, tmp_path):
    stages = "stages: [detect: {detector: motion}, track]\n"
    (tmp_path / "motion.yaml").write_text(stages, encoding="utf-8")
    done = sightline("run", "motion.yaml", "-s", scene(frames=5), "--handlers", "4")
    assert done.returncode == 0, done.stderr
    assert "no handlers, as no stage can be shared out" in done.stderr


def test_the_file_may_say_how_many_handlers_and_how_sources_are_read(sightline, tmp_path):
    (tmp_path / "paced.yaml").write_text(
        f"sources:\n- {{url: '{scene()}', name: yard, rate: 200, mode: every-frame}}\n"
        f"handlers: 1\n{PIPELINE}"
    )
    summary = json.loads(sightline.succeed("run", "paced.yaml", "--json"))
    assert summary["streams"]["yard"]["frames"] == 60
    assert summary["streams"]["yard"]["wall_s"] >= 59 / 200


def test_frames_that_fail_are_reported_and_the_run_goes_on(sightline, tmp_path):
    (tmp_path / "bad.py").write_text(
        "import sightline as sl\n"
        "class Bad(sl.Stage):\n"
        "    def process(self, frame):\n"
        "        return frame if frame.seq % 10 else 1 / 0\n"
    )
    (tmp_path / "bad.yaml").write_text("stages: ['bad:Bad']\n")
    arguments = ["run", "bad.yaml", "-s", scene(), "--handlers", "2"]
    done = sightline(*arguments)
    assert done.returncode == 3, done.stderr
    assert "6 frames failed in bad" in done.stderr
    strict = sightline(*arguments, "--max-failures", "3")
    assert strict.returncode == 1
    assert "stage 'bad' failed on frame" in strict.stderr


def test_a_source_that_cannot_be_opened_is_a_wrong_input(sightline, tmp_path):
    done = sightline("run", "pipeline.yaml", "-s", "none.mp4", "--handlers", "1")
    assert done.returncode == 2
    assert "none.mp4" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stay"], "--stay needs --handlers"),
        (["--metrics", "0"], "--metrics needs --handlers"),
        (["--handlers", "0"], "no number of processes"),
        (["--handlers", "2", "--metrics", "99999"], "no port"),
        (["-s", "a.mp4", "-s", "b.mp4"], "add the key handlers"),
    ],
)
def test_options_that_do_not_fit_are_refused(sightline, arguments, message):
    done = sightline("run", "pipeline.yaml", "-s", scene(), *arguments)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize("number", variants(signal.SIGINT, signal.SIGTERM))
def test_ctrl_c_ends_a_graph_with_valid_outputs(sightline, tmp_path, number):
    run = sightline.start("run", "pipeline.yaml", "-s", ENDLESS, "--handlers", "2", "--json")
    sightline.until_stats(lambda now: now["frames"] > 30)
    run.process.send_signal(number)
    assert run.end() == 130, run.stderr
    summary = json.loads(run.stdout)
    assert summary["stopped"] is True
    assert summary["streams"]["street-1"]["frames"] > 30
    frames = frames_in(tmp_path / "out" / "street-1.txt")
    assert frames == sorted(frames)
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out" / "street-1.txt"]


def test_a_run_is_steered_from_outside(sightline, tmp_path):
    run = sightline.start("run", "pipeline.yaml", "--handlers", "2", "--stay", "--json")
    until(lambda: json.loads(sightline.succeed("ps", "--json")))
    added = sightline.succeed("add", ENDLESS, "--name", "a", "--rate", "50")
    assert added in ("added a\n", "added a, which is not open yet\n")  # it waits for 10 s
    sightline.until_stats(lambda now: "a" in now["streams"])
    (listed,) = json.loads(sightline.succeed("ps", "--json"))
    name = listed["run_id"]
    assert (listed["streams"], listed["stages"]) == (["a"], ["detect", "track"])
    assert name in sightline.succeed("ps")
    sightline.succeed("add", name[:6], scene(seed=2), "--name", "b")
    sightline.until_stats(lambda now: now["streams"].get("b", {}).get("ended"))
    sightline.succeed("change", name, "detect", "confidence=0.9")
    sightline.until_stats(lambda now: now["streams"]["a"]["frames"] > 10)
    replaced = sightline.succeed("replace", "a", scene(frames=40, seed=3))
    assert replaced in (
        "replaced the source of a\n",
        "the source of a stays until the new one is open\n",
    )
    account = sightline.until_stats(lambda now: now["streams"]["a"]["ended"])
    assert account["streams"]["a"]["replacements"] == 1
    sightline.succeed("add", scene(frames=1_000_000, seed=4), "--name", "c", "--mode", "freshest")
    sightline.until_stats(lambda now: now["streams"].get("c", {}).get("frames", 0) > 10)
    sightline.succeed("remove", "c")
    sightline.until_stats(lambda now: "c" not in now["under_way"])
    table = sightline.succeed("stats")
    assert "a (over)" in table
    assert "process" in table
    assert json.loads(sightline.succeed("stats", "--json")).keys() == account.keys()
    assert sightline.succeed("stop") == f"stopped {name}\n"
    assert run.end() == 130, run.stderr
    for stream in "abc":
        assert frames_in(tmp_path / "out" / f"{stream}.txt") is not None
    frames = frames_in(tmp_path / "out" / "a.txt")
    assert frames == sorted(frames)
    assert json.loads(run.stdout)["streams"]["b"]["frames"] == 60
    assert json.loads(sightline.succeed("ps", "--json")) == []


def test_what_a_run_cannot_do_is_an_error_for_who_asks_and_not_for_the_run(sightline):
    run = sightline.start("run", "pipeline.yaml", "-s", ENDLESS, "--handlers", "1", "--json")
    sightline.until_stats(lambda now: now["frames"] > 0)
    for arguments, message in [
        (["remove", "nobody"], "there is no stream 'nobody'"),
        (["replace", "nobody", scene()], "there is no stream 'nobody'"),
        (["change", "paint", "width=3"], "there is no stage 'paint'"),
        (["change", "detect", "shoes=3"], "cannot change 'shoes'"),
        (["change", "detect", "confidence=abc"], "confidence must be a number, but is 'abc'"),
        (["change", "detect"], "NAME=VALUE"),
        (["add", scene(), "--name", "street-1"], "there is a stream 'street-1' already"),
        (["add", "none.mp4"], "none"),
        (["add", "a", "b", "c"], "SOURCE"),
        (["stats", "ffff"], "there is no run 'ffff'"),
    ]:
        done = sightline(*arguments)
        assert done.returncode == 2, (arguments, done.stderr)
        assert message in done.stderr
    sightline.until_stats(lambda now: now["frames"] > 30)
    sightline.succeed("stop")
    assert run.end() == 130
    assert json.loads(run.stdout)["streams"]["street-1"]["error"] is None


def test_a_replacement_that_cannot_be_opened_is_an_error_and_the_stream_goes_on(sightline):
    run = sightline.start("run", "pipeline.yaml", "-s", ENDLESS, "--handlers", "1", "--json")
    sightline.until_stats(lambda now: now["frames"] > 0)
    done = sightline("replace", "street-1", "none.mp4")
    assert done.returncode == 2
    assert "the source of stream 'street-1' stays: cannot open " in done.stderr
    assert done.stderr.count("none.mp4") == 1
    before = sightline.stats()["frames"]
    sightline.until_stats(lambda now: now["frames"] > before + 10)
    sightline.succeed("stop")
    assert run.end() == 130
    assert json.loads(run.stdout)["streams"]["street-1"]["error"] is None


def test_sources_of_one_name_are_added_under_names_of_their_own(sightline, tmp_path):
    videos = [tmp_path / folder / "yard.mp4" for folder in ("first", "second")]
    for video, frames in zip(videos, (30, 8), strict=True):
        video.parent.mkdir()
        sl.Pipeline([sl.Track()]).run(scene(frames=frames), [sl.VideoFile(video)])
    run = sightline.start("run", "pipeline.yaml", "--handlers", "1", "--stay", "--json")
    until(sightline.stats)
    names = []
    for video in videos:
        names.append(sightline.succeed("add", video).split()[1].rstrip(","))
        sightline.until_stats(lambda now: now["streams"].get(names[-1], {}).get("ended"))
        sightline.until_stats(lambda now: names[-1] not in now["under_way"])
    refused = sightline("add", videos[1], "--name", names[0])
    sightline.succeed("stop")
    assert run.end() == 130, run.stderr

    assert names == ["yard", "yard-2"]
    assert refused.returncode == 2
    assert "there is a stream 'yard' already" in refused.stderr
    streams = json.loads(run.stdout)["streams"]
    assert [streams[name]["frames"] for name in names] == [30, 8]
    first, second = (frames_in(tmp_path / "out" / f"{name}.txt") for name in names)
    assert max(first) > 8 >= max(second)


def test_without_a_run_the_commands_say_so(sightline):
    for command in ("stats", "stop"):
        done = sightline(command)
        assert done.returncode == 2
        assert "no graph runs" in done.stderr
    assert sightline.succeed("ps").startswith("run ")


def test_metrics_and_view_are_served_while_it_runs(sightline):
    run = sightline.start(
        "run", "pipeline.yaml", "-s", ENDLESS, "--handlers", "1", "--metrics", "0", "--web", "0"
    )
    lines = until(
        lambda: (text := run.stderr).count("http://") == 2 and dict(
            line.split(": ", 1) for line in text.splitlines() if "http://" in line
        )
    )  # fmt: skip
    sightline.until_stats(lambda now: now["frames"] > 0)
    text = _fetch(lines["metrics"])
    assert 'sightline_frames_total{stream="street-1"}' in text
    assert 'sightline_frames_total{stream="street-1"}' in _fetch(f"{lines['view']}/metrics")
    shown = until(lambda: _shown(lines["view"]))
    assert shown["name"] == "street-1"
    assert shown["hops"]["age"]["p50_ms"] > 0
    sightline.succeed("stop")
    assert run.end() == 130, run.stderr


def test_a_port_for_metrics_that_is_taken_is_noticed_before_the_run_begins(sightline, tmp_path):
    (tmp_path / "odd.py").write_text(
        "import threading\n"
        "import sightline as sl\n"
        "class Odd(sl.Stage):\n"
        "    def __init__(self):\n"
        "        self.lock = threading.Lock()\n"
        "    def process(self, frame):\n"
        "        return frame\n"
    )
    (tmp_path / "odd.yaml").write_text("stages: ['odd:Odd']\n")
    arguments = ["run", "odd.yaml", "-s", scene(), "--handlers", "1", "--metrics"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = sightline(*arguments, port)
    assert done.returncode == 2
    assert f"port {port}: Address already in use" in done.stderr
    begun = sightline(*arguments, "0")
    assert begun.returncode == 2
    assert "cannot be sent to a handler process" in begun.stderr


def _shown(view):
    """What the page of the live view gets of the only stream, once there are delays."""
    (stream,) = json.loads(_fetch(f"{view}/streams"))["streams"]
    return stream if stream.get("hops") else None


def _fetch(address):
    with urllib.request.urlopen(address, timeout=PATIENCE_S) as response:
        return response.read().decode()
