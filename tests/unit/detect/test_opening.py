import subprocess
import sys
from pathlib import Path

import pytest

from sightline.detect.catalogue import CATALOGUE, DEFAULT_MODEL
from sightline.detect.motion import MotionDetector, MotionOptions
from sightline.detect.onnx_options import OnnxOptions
from sightline.detect.opening import detector_names, open_detector
from sightline.errors import DownloadError, ModelError
from sightline.scope import Scope
from sightline.settings import Settings


def test_motion_is_a_stream_detector_and_models_are_stateless():
    assert open_detector("motion").scope is Scope.STREAM
    assert open_detector("demo").scope is Scope.STATELESS
    assert open_detector("yolox-s").scope is Scope.STATELESS


@pytest.mark.parametrize("path", ["folder/model.onnx", Path("folder/model.onnx"), Path("model")])
def test_a_model_file_is_opened_by_its_path(path):
    detector = open_detector(path, options=OnnxOptions(confidence=0.5))

    assert detector.describe()["name"] == "model"
    assert detector.describe()["options"]["confidence"] == 0.5
    with pytest.raises(ModelError, match="does not exist"):
        detector.open()


def test_a_detector_is_passed_through():
    detector = MotionDetector()

    assert open_detector(detector) is detector
    with pytest.raises(ModelError, match="exists already"):
        open_detector(detector, options=MotionOptions())


def test_an_unknown_name_is_an_error_that_lists_the_names():
    with pytest.raises(ModelError, match="did you mean 'yolox-s'") as caught:
        open_detector("yolox_s")

    assert all(name in str(caught.value) for name in detector_names())


def test_motion_takes_its_own_options_or_none():
    options = MotionOptions(warm_up=5)

    assert open_detector("motion", options=options).describe()["options"]["warm_up"] == 5
    assert open_detector("motion", options=OnnxOptions()).describe()["name"] == "motion"


def test_options_of_another_kind_of_detector_are_refused():
    with pytest.raises(ModelError, match="'motion' has no option confidence, classes"):
        open_detector("motion", options=OnnxOptions(confidence=0.5, classes=("car",)))
    with pytest.raises(ModelError, match="'yolox-s' takes OnnxOptions, not MotionOptions"):
        open_detector("yolox-s", options=MotionOptions())


def test_nothing_is_fetched_before_a_catalogue_model_is_opened(tmp_path):
    settings = Settings(cache_dir=tmp_path / "cache", offline=True)
    detector = open_detector("yolox-tiny", settings=settings)

    assert not (tmp_path / "cache").exists()
    with pytest.raises(DownloadError, match="yolox-tiny"):
        detector.open()


def test_the_catalogue_is_consistent():
    assert DEFAULT_MODEL in CATALOGUE
    for name, entry in CATALOGUE.items():
        assert entry.name == name
        assert len(bytes.fromhex(entry.sha256)) == 32
        assert entry.urls
        assert all(url.startswith("https://") for url in entry.urls)
        assert "/" not in entry.file_name
    assert len({entry.file_name for entry in CATALOGUE.values()}) == len(CATALOGUE)


def test_importing_loads_neither_the_runtime_nor_the_web_client():
    """What `import sightline` needs must stay quick to load."""
    program = (
        "import sys, sightline.detect.opening\n"
        "print([name for name in ('onnxruntime', 'httpx') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "[]"
