"""The benchmarks of jobs, on a short video: they run, and say what they say they say."""

import re

import pytest
from click.testing import CliRunner
from tests.lengths import long_only

from sightline.cli.bench import command
from sightline.media.opening import open_source
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.stages import Draw
from sightline.sinks.video import VideoFile


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "street.mp4"
    source = open_source("scene:street?frames=24&width=320&height=240")
    Pipeline([Draw()]).run(source, [VideoFile(path)])
    return path


def run(*arguments):
    result = CliRunner().invoke(command, [*map(str, arguments), "--rounds", "1"])
    assert result.exit_code == 0, result.output
    return result.output


def test_jobs_are_compared_with_the_plain_loop(video, shared_data):
    output = run("jobs", video, shared_data / "models" / "yolox_nano.onnx", "--workers", "1")
    assert re.search(r"^loop, all cores +\d", output, re.MULTILINE)
    assert re.search(r"^job, 1 worker ÷ loop, all cores: \d", output, re.MULTILINE)
    assert re.search(r"^submission to first frame: \d", output, re.MULTILINE)


@long_only
def test_jobs_that_are_watched_are_compared_with_jobs_alone(video, shared_data):
    model = shared_data / "models" / "yolox_nano.onnx"
    output = run("service", video, model, "--pollers", "8", "--streams", "4")
    assert re.search(r"^jobs, watched ÷ jobs, alone: \d", output, re.MULTILINE)
    assert re.search(r"^GET /v1/jobs/ID while watched, p99: \d", output, re.MULTILINE)
    answers, events = re.findall(r"answers ([\d.]+) .*events ([\d.]+) ", output)[0]
    assert float(answers) > 0
    assert float(events) > 0
    taken = re.findall(r"^jobs, (\w+): the (\w+) .*takes? ([\d.]+)", output, re.MULTILINE)
    assert [who for *who, _ in taken] == [
        ["alone", "service"],
        ["watched", "service"],
        ["watched", "clients"],
    ]
    assert all(float(cores) > 0 for *_, cores in taken)
