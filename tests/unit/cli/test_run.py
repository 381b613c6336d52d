"""`sightline run`: which source a run in one process takes, and what it says if it cannot."""

import json
import sys

import pytest
from click.testing import CliRunner

from sightline.cli.run import command
from sightline.errors import PipelineError

LEAVING = """
import sys
import sightline as sl

class Leaves(sl.Stage):
    def process(self, frame):
        if frame.seq == 1:
            sys.exit(0)
        return frame

class LeavesInOrder(Leaves):
    scope = sl.Scope.STREAM

class LeavesWhenOpened(sl.Stage):
    def open(self):
        sys.exit()

    def process(self, frame):
        return frame
"""
SCENE = "scene:street?frames=2&width=320&height=240"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Give a function that runs a pipeline file of which the source is given."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "pipeline.yaml"

    def invoke(sources, *arguments, stage="draw"):
        path.write_text(f"{sources}\nstages: [{stage}]\n", encoding="utf-8")
        return CliRunner().invoke(command, [str(path), "--json", *arguments])

    return invoke


@pytest.mark.parametrize("key", ["source: '{}'", "sources: ['{}']", "sources: [{{url: '{}'}}]"])
def test_one_source_runs_in_this_process(run, key):
    done = run(key.format(SCENE))
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["frames"] == 2


def test_the_command_line_says_what_to_process_instead_of_the_file(run):
    done = run("sources: [a.mp4, b.mp4]", "--source", SCENE)
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["source"] == SCENE


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ("", "names no source; add one, or use --source"),
        ("sources: [a.mp4, b.mp4]", "names 2 sources.* add the key handlers"),
        ("source: {path: a.mp4, rate: native}", "how it is paced or named.* add the key handlers"),
    ],
)
def test_what_one_process_cannot_do_is_said(run, sources, message):
    done = run(sources)
    assert isinstance(done.exception, PipelineError)
    with pytest.raises(PipelineError, match=message):
        raise done.exception


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("leaving:LeavesInOrder", "ended the run: SystemExit: 0; sightline -v run … shows where"),
        ("leaving:LeavesWhenOpened", "ended the run: SystemExit: ; sightline -v"),
        ("left:Anything", "ended the run: SystemExit: 0; sightline -v"),
        ("leaving:Leaves", "stage 'leaves' failed on frame 1: SystemExit: 0"),
    ],
)
def test_that_the_users_code_calls_exit_is_an_error_even_if_it_says_that_all_is_well(
    run, tmp_path, stage, said
):
    (tmp_path / "leaving.py").write_text(LEAVING)
    (tmp_path / "left.py").write_text("raise SystemExit(0)")
    done = run(f"source: '{SCENE}'", stage=stage)
    assert done.exit_code == 1
    assert said in str(done.exception) + done.output


@pytest.mark.parametrize(
    "options", [("--window-bytes", "4M"), ("--metrics", "9100"), ("--stay",)], ids=lambda it: it[0]
)
def test_what_only_handlers_have_is_refused_without_them(run, options):
    done = run(f"source: '{SCENE}'", *options)
    assert done.exit_code == 2
    assert f"{options[0]} needs --handlers" in done.output
