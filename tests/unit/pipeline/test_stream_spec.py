"""What is said of one stream, and what is refused."""

import json
import pickle

import pytest

from sightline.errors import PipelineError
from sightline.pipeline.stream_spec import StreamSpec, parse_stream_spec


@pytest.mark.parametrize("source", ["street.mp4", "rtsp://cam-1/live", "0", 3])
def test_a_source_alone_is_a_whole_stream(source):
    spec = parse_stream_spec(source)
    assert spec == StreamSpec(source)
    assert spec.is_plain


def test_a_mapping_says_where_and_how():
    content = json.loads(
        '{"camera": 0, "name": "gate", "rate": 12.5, "mode": "auto", '
        '"staleness_s": 1, "restart": "on-failure"}'
    )
    spec = parse_stream_spec(content)
    assert spec == StreamSpec(
        0, name="gate", rate=12.5, mode="auto", staleness_s=1, restart="on-failure"
    )
    assert not spec.is_plain
    assert pickle.loads(pickle.dumps(spec)) == spec


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "a source is a path, URL or camera index, not None"),
        (True, "a source is a path, URL or camera index, not True"),
        ("", "a source is a path, URL or camera index, but is empty"),
        ({}, "a source has one of path, url, camera, but none is given"),
        ({"path": "a", "url": "b"}, "but path and url is given"),
        ({"path": 3}, "'path' of a source is text, not 3"),
        ({"camera": "front"}, "'camera' of a source is a number, not 'front'"),
        ({"camera": True}, "'camera' of a source is a number, not True"),
        ({"path": "a", "fps": 3}, "a source has no 'fps'; it has: path, url, camera, name, rate"),
        ({"path": "a", 3: 3}, "a source has no '3'"),
        ({"path": "a", "name": "../b"}, "name must be safe as a file name, but is '../b'; 'b' is"),
        ({"path": "a", "name": 5}, "name must be safe as a file name, but is 5; '5' is"),
        ({"path": "a", "rate": 0}, "rate must be a positive number or native, but is 0"),
        ({"path": "a", "rate": "fast"}, "rate must be a positive number or native, but is 'fast'"),
        ({"path": "a", "rate": float("nan")}, "rate must be a positive number"),
        ({"path": "a", "rate": [1]}, "rate must be a positive number or native, but is [1]"),
        ({"path": "a", "staleness_s": -1}, "source a: staleness_s must be a positive number"),
        ({"path": "a", "staleness_s": 1e300}, "staleness_s must be at most 86400 (a day)"),
        ({"path": "a", "staleness_s": None}, "staleness_s must be a positive number"),
        ({"path": "a", "staleness_s": float("inf")}, "staleness_s must be a positive number"),
        ({"path": "a", "mode": "fresh"}, "one of every-frame, auto, freshest, but is 'fresh'"),
        ({"path": "a", "mode": []}, "mode must be one of"),
        ({"path": "a", "restart": "yes"}, "one of never, on-failure, always, but is 'yes'"),
    ],
)
def test_what_is_wrong_with_a_source_is_said(content, message):
    with pytest.raises(PipelineError) as caught:
        parse_stream_spec(content)
    assert message in str(caught.value)


def test_an_error_does_not_tell_the_password_of_a_camera():
    with pytest.raises(PipelineError, match=r"rtsp://\*\*\*@cam-1/live: mode") as caught:
        parse_stream_spec({"url": "rtsp://ann:geheim@cam-1/live", "mode": "x"})
    assert "geheim" not in str(caught.value)
