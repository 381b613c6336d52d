"""The benchmarks of jobs on Celery workers, in small: they run, and say what they say they say."""

import re

import pytest
from click.testing import CliRunner
from tests.broker_fixtures import _redis, redis
from tests.lengths import long_only

from sightline.bench.redis_server import own_redis
from sightline.cli.bench import command
from sightline.errors import SightlineError
from sightline.media.opening import open_source
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.stages import Draw
from sightline.sinks.video import VideoFile

__all__ = ["_redis", "redis"]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "street.mp4"
    source = open_source("scene:street?frames=40&width=320&height=240")
    Pipeline([Draw()]).run(source, [VideoFile(path)])
    return path


def run(*arguments):
    result = CliRunner().invoke(command, [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def figures(pattern, output):
    return [float(found) for found in re.findall(pattern, output, re.MULTILINE)]


def test_jobs_on_celery_workers_are_compared_with_the_plain_loop(video, shared_data, redis):
    model = shared_data / "models" / "yolox_nano.onnx"
    options = ["--workers", 2, "--executor", "celery", "--broker", redis.url, "--rounds", 1]
    output = run("jobs", video, model, *options)
    assert figures(r"^job, 2 workers ÷ job, 1 worker: ([\d.]+)", output) > [0.0]
    assert figures(r"^submission to first frame: ([\d.]+)", output) > [0.0]


def test_what_celery_adds_is_measured_and_no_queued_chunk_is_lost(redis):
    output = run("celery", "--chunks", 10, "--queued", 30, "--rounds", 1)
    assert figures(r"^celery, 1 worker, ms per chunk +([\d.]+)", output) > [0.0]
    assert figures(r"^chunks per second, 1 worker +([\d.]+)", output) > [0.0]
    assert figures(r"^30 chunks queued at once: lost +(\d+)", output) == [0]
    assert figures(r"^30 chunks queued at once: done more than once +(\d+)", output) == [0]


@long_only
def test_the_model_of_scaling_is_measured_and_checked(video, shared_data, redis):
    model = shared_data / "models" / "yolox_nano.onnx"
    small = ["--check-with", 2, "--workers", 10, "--chunks", 10, "--rounds", 1]
    output = run("scaling", video, model, "--measure", "--broker", redis.url, *small)
    assert min(figures(r"^(?:frame|chunk|claim|renew|finish)_s +([\d.]+) ms", output)) > 0
    assert len(figures(r"^(?:waiting|detecting) .* ([+-][\d.]+)%", output)) > 1
    assert re.search(r"^10 .* \(workers\)$", output, re.MULTILINE)


def test_without_measuring_the_published_costs_are_calculated_with():
    output = run("scaling", "--workers", 1, "--cost", "frame_s=0.05")
    assert "Costs, as published" in output
    assert re.search(r"^frame_s +50", output, re.MULTILINE)
    assert re.search(r"^1 .* workers +[\d.]+ \(workers\)$", output, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--measure"], "needs a VIDEO"),
        (["--cost", "nonsense=1"], "costs are numbers, named frame_s"),
        (["--cost", "frame_s=much"], "costs are numbers"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_measured(arguments, said):
    result = CliRunner().invoke(command, ["scaling", *arguments])
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_a_broker_without_celery_workers_is_refused(video):
    result = CliRunner().invoke(command, ["jobs", str(video), str(video), "--broker", "redis://x"])
    assert result.exit_code == 2
    assert "--executor celery" in result.output


def test_without_a_redis_to_start_it_is_said_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SightlineError, match="install Redis, or name a broker"), own_redis():
        pass
