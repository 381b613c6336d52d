"""Doing chunks of real videos, without a store: the file of each, and how it ends."""

from __future__ import annotations

import json
from contextlib import closing

import numpy as np
import pytest
from tests.chunk_stages import Picky

from sightline.errors import StageError
from sightline.frame import Frame
from sightline.jobs.chunk_result import ChunkReader
from sightline.jobs.chunk_work import PipelineCache, do_chunk, open_span
from sightline.jobs.chunking import ChunkSizes, plan_spans
from sightline.jobs.files import JobFiles
from sightline.jobs.heartbeat import WrapUpError
from sightline.jobs.model import Job, JobSpec, Lease, Span, Task
from sightline.jobs.states import Queue, TaskKind
from sightline.media.opening import open_source
from sightline.media.options import SourceOptions
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.stages import Detect, Track
from sightline.processors import limit_cores
from sightline.testing.sink import ListSink

DEMO = {"stages": [{"detect": {"detector": "demo"}}, "track"]}


PICKY = "tests.chunk_stages:Picky"


class Heart:
    """A heartbeat that counts, and ends the chunk after so many frames."""

    def __init__(self, ends_after=None):
        self.ends_after = ends_after
        self.reports = []

    def report(self, *, frames_done=0):
        self.reports.append(frames_done)
        if frames_done == self.ends_after:
            raise WrapUpError("the job is canceled")


@pytest.fixture(autouse=True)
def _one_core():
    limit_cores(1)
    yield
    limit_cores(None)


@pytest.fixture
def files(write_video, tmp_path):
    """A job's files with a video of 90 frames in groups of 15."""
    job = JobFiles(tmp_path / "job")
    job.folder.mkdir()
    path = write_video("street.mp4", codec_options={"x264-params": "keyint=15:bframes=2"})
    path.rename(job.source)
    return job


def lease(definition, span=None, *, token="a", number=0, **spec):
    values = {"source_name": "a", "upload": "u", "pipeline": "p", "params": {}, "outputs": ("mot",)}
    job = Job(id="j", spec=JobSpec(definition=definition, **values, **spec), created_at=0.0)
    task = Task(
        job_id="j", kind=TaskKind.CHUNK, queue=Queue.DETECT, number=number, span=span or Span()
    )
    return Lease(token=token, task=task, job=job)


def read(path):
    with ChunkReader(path) as reader:
        return list(reader), reader


def columns(detections):
    return [getattr(detections, name).tobytes() for name in ("xyxy", "confidence", "class_id")] + [
        detections.class_names
    ]


def test_chunks_put_together_have_the_detections_of_an_inline_run(files):
    sink = ListSink()
    Pipeline([Detect("demo")]).run(files.source, [sink])
    spans = plan_spans(files.source, sizes=ChunkSizes(workers=3))
    assert len(spans) > 2
    frames = []
    with PipelineCache() as pipelines:
        for number, span in enumerate(spans):
            heart = Heart()
            done = do_chunk(lease(DEMO, span, number=number), files, pipelines, heart)
            assert heart.reports == list(range(1, span.frames + 1))
            assert done.frames == span.frames
            part, reader = read(files.chunk(number, "a"))
            assert reader.end.steps["detect"][0] == reader.end.steps["read"][0] == span.frames
            assert reader.stages[0]["stage"] == "detect"
            frames += part
    assert [frame.pts for frame in frames] == [frame.pts for frame in sink.frames]
    for frame, inline in zip(frames, sink.frames, strict=True):
        assert columns(frame.detections) == columns(inline.detections)


def test_stages_that_follow_get_what_they_would_get_inline(files):
    sink = ListSink()
    Pipeline([Detect("demo"), Track()]).run(files.source, [sink])
    track = Track()
    tracked = []
    with PipelineCache() as pipelines, track:
        for number, span in enumerate(plan_spans(files.source)):
            do_chunk(lease(DEMO, span, number=number), files, pipelines, Heart())
            for result in read(files.chunk(number, "a"))[0]:
                blank = np.broadcast_to(np.uint8(0), (result.height, result.width, 3))
                frame = Frame(image=blank, seq=len(tracked), pts=result.pts)
                tracked.append(track.process(result.outcome(frame).frame).detections)
    for one, other in zip(tracked, (frame.detections for frame in sink.frames), strict=True):
        assert one.track_id.tolist() == other.track_id.tolist()
        assert one.xyxy.tobytes() == other.xyxy.tobytes()


def test_failed_and_dropped_frames_are_outcomes_up_to_the_limit(files):
    definition = {"stages": [{PICKY: {"bad": [3, 5]}}]}
    with PipelineCache() as pipelines:
        do_chunk(lease(definition, max_failures=2), files, pipelines, Heart())
        frames, reader = read(files.chunk(0, "a"))
        assert [n for n, frame in enumerate(frames) if frame.failure] == [3, 5]
        assert [n for n, frame in enumerate(frames) if frame.dropped_by] == list(range(9, 90, 10))
        assert frames[3].failure.error == "ValueError: number 3"
        assert "Traceback" in frames[3].failure.traceback
        assert frames[1].data == {"odd": 1}
        assert reader.end.frames == 90
        with pytest.raises(StageError, match=r"'picky' failed on the frame at 0.20 s: ValueError"):
            do_chunk(lease(definition, token="b", max_failures=1), files, pipelines, Heart())
    assert [path.name for path in files.chunk(0, "a").parent.iterdir()] == ["0000.a"]


def test_data_that_cannot_be_kept_are_a_failure_of_the_stage(files):
    definition = {"stages": [{PICKY: {"data": True}}]}
    with PipelineCache() as pipelines:
        do_chunk(lease(definition, max_failures=90), files, pipelines, Heart())
    frames, _ = read(files.chunk(0, "a"))
    assert frames[0].failure.stage == "picky"
    assert "cannot travel between processes" in frames[0].failure.error
    assert frames[9].dropped_by == "picky"


def test_a_chunk_that_is_to_end_leaves_nothing(files):
    with PipelineCache() as pipelines, pytest.raises(WrapUpError):
        do_chunk(lease(DEMO), files, pipelines, Heart(ends_after=7))
    assert list(files.chunk(0, "a").parent.iterdir()) == []


def test_the_same_chunk_twice_is_the_same_result(files):
    span = plan_spans(files.source)[1]
    with PipelineCache() as pipelines:
        for token in ("a", "b"):
            do_chunk(lease(DEMO, span, token=token), files, pipelines, Heart())
    results = [read(files.chunk(0, token))[0] for token in ("a", "b")]
    assert [frame.pts for frame in results[0]] == [frame.pts for frame in results[1]]
    assert [columns(frame.detections) for frame in results[0]] == [
        columns(frame.detections) for frame in results[1]
    ]


def test_a_span_without_bounds_is_the_range_of_the_job(files):
    with closing(open_source(files.source, options=SourceOptions(start_s=1, end_s=2))) as source:
        inline = [frame.pts for frame in source.frames()]
    with closing(open_span(files.source, Span(), start_s=1, end_s=2)) as source:
        assert [frame.pts for frame in source.frames()] == inline
        assert len(inline) == 25


def test_a_cache_keeps_a_few_pipelines_open_and_closes_the_rest():
    def definition(number):
        return {"stages": [{PICKY: {"bad": [number]}}]}

    opened = Picky.opened
    with PipelineCache(most=2) as pipelines:
        first = pipelines.get(definition(1))
        pipelines.get(definition(2))
        assert pipelines.get(json.loads(json.dumps(definition(1)))) is first
        pipelines.get(definition(3))
        assert Picky.opened == opened + 2
        assert first.is_open
        assert pipelines.get(definition(1)) is first
    assert Picky.opened == opened
    assert not first.is_open


def test_a_definition_is_the_same_in_any_order_of_its_keys():
    one = {"stages": [{PICKY: {"bad": [1], "data": False}}], "sinks": []}
    other = {"sinks": [], "stages": [{PICKY: {"data": False, "bad": [1]}}]}
    with PipelineCache() as pipelines:
        assert pipelines.get(one) is pipelines.get(other)
