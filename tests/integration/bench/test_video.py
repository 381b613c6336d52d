"""The benchmark of `sightline track`, on a short video: it runs, and says what it says it says."""

import re
from pathlib import Path

from click.testing import CliRunner

import sightline.detect
from sightline.cli.bench import command
from sightline.errors import SightlineError
from sightline.media.opening import open_source
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.stages import Draw
from sightline.sinks.video import VideoFile

DEMO = Path(sightline.detect.__file__).parent / "models" / "demo.onnx"


def run(*arguments):
    return CliRunner().invoke(command, ["video", *map(str, arguments), "--rounds", "1"])


def test_tracking_is_compared_with_the_plain_loop(tmp_path, shared_data):
    video = tmp_path / "street.mp4"
    Pipeline([Draw()]).run(open_source("scene:street?frames=12"), [VideoFile(video)])
    result = run(video, shared_data / "models" / "yolox_nano.onnx")
    assert result.exit_code == 0, result.output
    for name in ("loop", "sightline"):
        for cores in ("all cores", "1 inference thread"):
            assert re.search(rf"^{name}, {cores} +[1-9]", result.output, re.MULTILINE)
    assert re.search(r"^sightline, all cores ÷ loop, all cores: \d", result.output, re.MULTILINE)


def test_a_model_that_the_loop_cannot_use_ends_it(tmp_path):
    video = tmp_path / "street.mp4"
    Pipeline([Draw()]).run(open_source("scene:street?frames=2"), [VideoFile(video)])
    result = run(video, DEMO)
    assert isinstance(result.exception, SightlineError)
    assert "the plain loop has ended" in str(result.exception)
