"""What is said at the end of a run: of the frames that failed, beside what was lost."""

import json

import pytest
from click.testing import CliRunner

from sightline.cli.batch import show_summary
from sightline.cli.run import command

STAGE = """
from sightline import Stage

class Boom(Stage):
    def process(self, frame):
        if frame.seq in SEQS:
            raise ValueError(f"no {frame.seq}")
        return frame
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Give a function that runs a pipeline whose stage raises on some of five frames."""

    def invoke(seqs, *arguments):
        module = f"boom_{'_'.join(map(str, seqs))}"
        (tmp_path / f"{module}.py").write_text(f"SEQS = {seqs}\n{STAGE}", encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        path = tmp_path / "boom.yaml"
        path.write_text(
            f"source: scene:street?frames=5&width=320&height=240\nstages: ['{module}:Boom']\n",
            encoding="utf-8",
        )
        return CliRunner().invoke(command, [str(path), "--max-failures", "3", *arguments])

    return invoke


def warnings_of(done):
    return [line for line in done.stderr.splitlines() if line.startswith("Warning: ")]


@pytest.mark.parametrize(
    ("seqs", "said"),
    [
        ([2], "1 frame failed in boom, frame 2: ValueError: no 2"),
        ([1, 3], "2 frames failed in boom, the first is frame 1: ValueError: no 1"),
    ],
)
@pytest.mark.parametrize("options", [[], ["--quiet"]])
def test_frames_that_failed_are_warned_of(run, seqs, said, options):
    done = run(seqs, *options)
    assert done.exit_code == 3, done.output
    [warning] = warnings_of(done)
    assert warning.startswith("Warning: scene:street")
    assert warning.endswith(said)


def test_programs_find_failed_frames_in_the_summary_alone(run):
    done = run([2], "--json")
    assert [frame["seq"] for frame in json.loads(done.stdout)["failed"]] == [2]
    assert warnings_of(done) == []


def test_one_frame_is_told_in_the_singular(capsys):
    summary = {
        "source": "a.mp4",
        "stream": "a",
        "frames": 1,
        "wall_s": 0.5,
        "frames_per_second": 2.0,
        "tracks": {},
        "failed": [],
        "losses": {"messages": []},
    }
    show_summary(summary, as_json=False, quiet=False)
    assert capsys.readouterr().out == "a: 1 frame in 0.5 s (2.0 frames/s), tracks: none\n"
