"""Names in pipeline files, and what is said when one is wrong."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import PipelineError
from sightline.pipeline.definition import load_definition, parse_definition
from sightline.pipeline.per_object import PerObject
from sightline.pipeline.registry import Kind, create, lookup, names
from sightline.pipeline.stages import Detect, Draw, Track
from sightline.pipeline.stream_spec import StreamSpec
from sightline.sinks.mot import MotFile
from sightline.tracking.sort import Sort


def test_every_built_in_name_can_be_loaded():
    for kind in Kind:
        assert names(kind)
        for name in names(kind):
            assert callable(lookup(kind, name))


def test_a_file_builds_stages_sinks_and_nested_components(tmp_path):
    path = tmp_path / "pipeline.yaml"
    path.write_text(
        """
source: street.mp4
stages:
  - detect: {detector: motion}
  - track: {tracker: {sort: {max_age: 3}}}
  - draw
sinks:
  - mot: {path: out/mot.txt}
""",
        encoding="utf-8",
    )
    definition = load_definition(path)
    detect, track, draw = definition.pipeline.stages
    assert isinstance(detect, Detect)
    assert isinstance(track, Track)
    assert isinstance(track.tracker, Sort)
    assert track.tracker.describe()["max_age"] == 3
    assert isinstance(draw, Draw)
    assert definition.sources == (StreamSpec("street.mp4"),)
    assert isinstance(definition.sinks[0], MotFile)


def test_a_file_names_several_sources_and_the_handlers_that_they_share(tmp_path):
    path = tmp_path / "pipeline.yaml"
    path.write_text(
        """
sources:
  - yard.mp4
  - 0
  - {url: rtsp://cam-1/live, name: north, mode: freshest, restart: always}
  - {path: old.mp4, rate: native, staleness_s: 2}
handlers: auto
stages:
  - per-object: {stage: {detect: {detector: demo}}, classes: [person, 2]}
sinks:
  - mot: {path: "out/{stream}.txt"}
""",
        encoding="utf-8",
    )
    definition = load_definition(path)
    assert definition.sources == (
        StreamSpec("yard.mp4"),
        StreamSpec(0),
        StreamSpec("rtsp://cam-1/live", name="north", mode="freshest", restart="always"),
        StreamSpec("old.mp4", rate="native", staleness_s=2),
    )
    assert definition.handlers == "auto"
    (stage,) = definition.pipeline.stages
    assert isinstance(stage, PerObject)
    assert isinstance(stage.inner, Detect)
    assert stage.classes == {"person", 2}


def test_a_file_need_not_name_sources_or_handlers():
    definition = parse_definition({"stages": ["draw"], "handlers": None})
    assert (definition.sources, definition.handlers) == ((), None)
    assert parse_definition({"stages": ["draw"], "handlers": 4}).handlers == 4


def test_a_stage_of_the_users_own_module_is_found(tmp_path, monkeypatch):
    (tmp_path / "own_stages_for_test.py").write_text(
        "import sightline as sl\n"
        "class Gray(sl.Stage):\n"
        "    def __init__(self, *, strength):\n"
        "        self.strength = strength\n"
        "    def process(self, frame):\n"
        "        return frame\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    definition = parse_definition({"stages": [{"own_stages_for_test:Gray": {"strength": 2}}]})
    assert definition.pipeline.stages[0].strength == 2
    assert definition.pipeline.named_stages[0][0] == "gray"


def test_a_mistake_in_the_users_own_module_is_said_with_its_place(tmp_path, monkeypatch):
    (tmp_path / "mistaken_stages_for_test.py").write_text("import os\nclass Gray(\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        PipelineError, match=r"mistaken_stages_for_test\.py, line 2: '\(' was never"
    ):
        parse_definition({"stages": ["mistaken_stages_for_test:Gray"]})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "a mapping with the key 'stages'"),
        ({"stages": []}, "at least one stage"),
        ({"stage": ["draw"]}, "unknown key 'stage'"),
        ({"stages": "draw"}, "'stages' must be a list, but is of type str"),
        ({"stages": ["drow"]}, "there is no stage 'drow'; known: detect, draw, per-object, track"),
        ({"stages": [{"draw": 3}]}, "parameters are a mapping, not 3"),
        ({"stages": [{"draw": {"trials": 3}}]}, "unexpected keyword argument 'trials'"),
        ({"stages": [{"draw": {"trails": -3}}]}, "trails must be 0, or 2"),
        ({"stages": [{"draw": None, "track": None}]}, "a stage is a name, or one name"),
        ({"stages": [{"track": {"tracker": {"sort": {"max_age": -1}}}}]}, "max_age"),
        ({"stages": [{"track": {"tracker": "fort"}}]}, "there is no tracker 'fort'; known: sort"),
        ({"stages": [{"detect": {"detector": "yolo-q"}}]}, "yolo-q"),
        ({"stages": ["no_such_module:Stage"]}, "cannot load the stage 'no_such_module:Stage'"),
        ({"stages": ["json:dumps"]}, "missing a required argument: 'obj'"),
        ({"stages": ["os:sep"]}, "stage 'os:sep' is to name a class, but is '/'"),
        ({"stages": ["builtins:type"]}, "stage 'builtins:type'"),
        (
            {"stages": ["draw"], "source": ["a"]},
            "a source is a path, URL or camera index, not ['a']",
        ),
        ({"stages": ["draw"], "sources": "a"}, "'sources' must be a list, but is of type str"),
        ({"stages": ["draw"], "source": "a", "sources": ["b"]}, "both 'source' and 'sources'"),
        (
            {"stages": ["draw"], "sources": [{"path": p, "name": "n"} for p in "ab"]},
            "2 sources have the name 'n'",
        ),
        ({"stages": ["draw"], "handlers": 0}, "a number of processes or auto, but is 0"),
        ({"stages": ["draw"], "handlers": True}, "a number of processes or auto, but is True"),
        ({"stages": ["draw"], "handlers": "many"}, "or auto, but is 'many'"),
        ({"stages": ["draw"], "sinks": [{"mot": {}}]}, "missing a required argument: 'path'"),
    ],
)
def test_what_is_wrong_in_a_definition_is_said(content, message):
    with pytest.raises(PipelineError, match=re.escape(message)):
        parse_definition(content)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"stages: [draw\n", "line 2: this is not valid YAML"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"stages: !!python/object/apply:os.system [ls]\n", "not valid YAML"),
        (b"source: 2024-13-45\n", "broken.yaml: a value makes no sense: month must be in 1..12"),
    ],
)
def test_what_is_no_pipeline_file_is_named(tmp_path, text, message):
    path = tmp_path / "broken.yaml"
    path.write_bytes(text)
    with pytest.raises(PipelineError, match=message):
        load_definition(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PipelineError, match=r"nowhere\.yaml: No such file"):
        load_definition(tmp_path / "nowhere.yaml")


def test_names_of_other_packages_are_found_through_entry_points(tmp_path, monkeypatch):
    distribution = tmp_path / "blurry-1.0.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: blurry\nVersion: 1.0\n")
    (distribution / "entry_points.txt").write_text(
        "[sightline.stages]\nblur = sightline.pipeline.stages:Draw\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "blur" in names(Kind.STAGE)
    assert isinstance(create(Kind.STAGE, "blur", {}), Draw)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "stages",
                        "sinks",
                        "source",
                        "sources",
                        "handlers",
                        "draw",
                        "tracker",
                        "path",
                        "x",
                    ]
                ),
                inner,
                max_size=3,
            )
        ),
        max_leaves=8,
    )
)
def test_any_content_gives_a_pipeline_or_a_pipeline_error(content):
    try:
        definition = parse_definition(content)
    except PipelineError:
        return
    assert definition.pipeline.stages
