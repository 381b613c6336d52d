"""Which pipelines are offered, and what becomes of parameters."""

import time

import jsonschema
import pytest

from sightline.errors import ModelError, PipelineError
from sightline.jobs.detect_track import DetectTrack
from sightline.jobs.detectors import AllowedDetectors
from sightline.jobs.pipelines import MOST_FAULTS, FilePipeline, Offers, ParameterError
from sightline.pipeline.definition import parse_definition
from sightline.settings import Settings


def offer(*names, tmp_path=None):
    settings = Settings(offline=True) if tmp_path is None else Settings(cache_dir=tmp_path)
    return DetectTrack(AllowedDetectors(names or ("demo", "motion"), settings=settings))


def pointers(made, params):
    with pytest.raises(ParameterError) as caught:
        made.define(params, ())
    return [fault.pointer for fault in caught.value.faults]


def test_parameters_left_out_have_their_defaults():
    defined = offer().define({"confidence": 0.5}, ["mot"])
    assert defined.params == {
        "detector": "demo",
        "confidence": 0.5,
        "nms": 0.45,
        "classes": None,
        "max_detections": 300,
        "tracker": "sort",
        "max_age": 1,
        "min_hits": 3,
        "iou_threshold": 0.3,
    }
    assert defined.tracked


def test_a_definition_can_be_parsed_and_draws_only_for_the_video():
    for outputs, stages in (
        (["mot"], ["detect", "track"]),
        (["video"], ["detect", "track", "draw"]),
    ):
        definition = offer().define({}, outputs).definition
        assert [stage.name for stage in parse_definition(definition).pipeline.stages] == stages


def test_each_detector_and_tracker_has_options_of_its_own():
    assert pointers(offer(), {"detector": "motion", "nms": 0.3}) == ["/nms"]
    assert pointers(offer(), {"history": 100}) == ["/history"]
    assert pointers(offer("motion"), {"confidence": 0.3}) == ["/confidence"]
    assert pointers(offer(), {"tracker": "none", "max_age": 2}) == ["/max_age"]
    defined = offer().define({"detector": "motion", "tracker": "none", "warm_up": 3.0}, ["video"])
    assert defined.params["warm_up"] == 3
    assert not defined.tracked
    assert defined.definition["stages"][-1] == "draw"


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"detector": "/etc/model.onnx"}, "/detector"),
        ({"detector": "yolox-s"}, "/detector"),
        ({"confidence": 1}, "/confidence"),
        ({"confidence": True}, "/confidence"),
        ({"classes": []}, "/classes"),
        ({"classes": ["a", 1.5]}, "/classes/1"),
        ({"max_age": 0.5}, "/max_age"),
        ({"names": "/etc/passwd"}, "/names"),
        ({"a/b": 1}, "/a~1b"),
        ({"classes": [1, "a"] * 51}, "/classes"),
    ],
)
def test_what_the_schema_does_not_allow_is_refused_with_its_place(params, pointer):
    assert pointers(offer(), params) == [pointer]


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("confidnce", "there is no parameter 'confidnce'; did you mean 'confidence'?"),
        ("q", "there is no parameter 'q'"),
        ("q" * 70, f"there is no parameter '{'q' * 60}…'"),
    ],
)
def test_a_parameter_that_there_is_not_is_told_with_the_closest_one(name, detail):
    with pytest.raises(ParameterError) as caught:
        offer().define({name: 1, "nms": 2}, ())
    assert [fault.pointer for fault in caught.value.faults] == [f"/{name}", "/nms"]
    assert caught.value.faults[0].detail == detail


@pytest.mark.parametrize(
    "params",
    [
        {"classes": [[]] * 100},
        {f"name{number}": 1 for number in range(60_000)},
        {"classes": [[]] * 60_000, **{f"name{number}": 1 for number in range(50)}},
    ],
)
def test_no_more_faults_are_told_than_anybody_reads(params):
    assert len(pointers(offer(), params)) == MOST_FAULTS


def test_a_list_that_is_too_long_is_refused_without_looking_into_it():
    begin_s = time.process_time()
    assert pointers(offer(), {"classes": [1, "a"] * 30_000}) == ["/classes"]
    assert time.process_time() - begin_s < 1.0


def test_unknown_classes_of_a_known_model_are_refused_before_the_job():
    made = offer("yolox-s")
    assert pointers(made, {"classes": ["persom"]}) == ["/classes"]
    assert made.define({"classes": ["person", 2]}, ()).params["classes"] == ["person", 2]


def test_the_schema_is_one():
    for made in (offer(), offer("motion")):
        jsonschema.Draft202012Validator.check_schema(made.schema)


def test_detectors_tell_whether_their_model_is_here(tmp_path):
    def statuses(settings):
        allowed = AllowedDetectors(["yolox-s", "demo"], settings=settings)
        return {one["name"]: one["status"] for one in allowed.describe()}

    fetched = statuses(Settings(cache_dir=tmp_path))
    assert fetched == {"yolox-s": "to-fetch", "demo": "ready"}
    assert statuses(Settings(cache_dir=tmp_path, offline=True))["yolox-s"] == "unavailable"


def test_a_model_of_the_operator_goes_by_its_name_alone(tmp_path):
    model = tmp_path / "mine.onnx"
    model.touch()
    defined = offer(f"mine={model}").define({}, ())
    assert defined.params["detector"] == "mine"
    assert defined.definition["stages"][0]["detect"]["detector"] == str(model)


@pytest.mark.parametrize("allowed", [["nothing"], ["a=b.onnx"], ["demo", "demo"], ["=x.onnx"]])
def test_detectors_that_cannot_be_allowed_are_refused(allowed):
    with pytest.raises(ModelError):
        AllowedDetectors(allowed, settings=Settings())


def test_a_pipeline_file_is_offered_without_parameters(tmp_path):
    path = tmp_path / "gate.yaml"
    path.write_text("stages:\n- detect: {detector: demo}\n- track\n")
    made = FilePipeline("gate", path)
    assert made.define({}, ["video"]).definition == {
        "stages": [{"detect": {"detector": "demo"}}, "track", {"draw": {"trails": 30}}]
    }
    assert pointers(made, {"confidence": 0.5}) == ["/confidence"]
    assert len(pointers(made, {f"name{number}": 1 for number in range(50)})) == MOST_FAULTS


@pytest.mark.parametrize(
    "text",
    [
        "source: a.mp4\nstages:\n- track\n",
        "stages:\n- track\nsinks:\n- mot: {path: /tmp/x}\n",
        "handlers: 2\nstages:\n- track\n",
        "stages: []\n",
        "stages:\n- nothing\n",
    ],
)
def test_a_pipeline_file_with_more_or_less_than_stages_is_refused(tmp_path, text):
    path = tmp_path / "gate.yaml"
    path.write_text(text)
    with pytest.raises(PipelineError):
        FilePipeline("gate", path)


def test_two_pipelines_of_one_name_are_refused(tmp_path):
    path = tmp_path / "gate.yaml"
    path.write_text("stages:\n- track\n")
    with pytest.raises(PipelineError, match="two pipelines"):
        Offers([FilePipeline("gate", path), FilePipeline("gate", path)])
    with pytest.raises(PipelineError, match="name"):
        FilePipeline("../x", path)
