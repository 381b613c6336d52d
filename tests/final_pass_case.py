"""A job over a small video whose chunks are done, for tests of its final pass."""

import json
import shutil
import time
from contextlib import closing
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np

from sightline.jobs.chunk_result import ChunkWriter
from sightline.jobs.feed import FeedEnd
from sightline.jobs.files import JobFiles
from sightline.jobs.final_pass import do_final
from sightline.jobs.model import Job, JobSpec, Lease, Progress, Task
from sightline.jobs.split import split
from sightline.jobs.states import Queue, TaskKind
from sightline.media.opening import open_source
from sightline.pipeline.definition import parse_definition
from sightline.pipeline.inline import RunOptions
from sightline.pipeline.outcome import StageRow
from sightline.pipeline.outputs import make_sinks
from sightline.stream import Losses

FRAMES = 40
RATE = 25
TEXTS = ("mot", "jsonl", "tracks", "csv", "coco")
FILES = {"mot.txt", "detections.jsonl", "tracks.json", "tracks.csv", "coco.json"}
BLOBS, TRACK = "tests.final_pass_stages:Blobs", "track"
NO_DRAW = [BLOBS, TRACK]


def stage(name, **parameters):
    return {f"tests.final_pass_stages:{name}": parameters}


def write_video(path, *, frames=FRAMES, codec="libx264", **options):
    """Write squares that move over a dark ground."""
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.codec_context.gop_size = 10
        for number in range(frames):
            image = np.full((120, 160, 3), 20, np.uint8)
            for square in range(3):
                left, top = (10 + number * (square + 1)) % 130, 10 + 36 * square
                image[top : top + 20, left : left + 24] = 180 + 30 * square
            picture = av.VideoFrame.from_ndarray(image, "bgr24")
            picture.pts, picture.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


class GivenChunks:
    """A feed of what is given to it."""

    def __init__(self, items):
        self.items = list(items)
        self.canceled = False

    def next(self, *, timeout_s):
        return self.items.pop(0)


class Pulse:
    """A heartbeat that calls something at a frame."""

    def __init__(self, at=-1, then=None):
        self.wrap_up = False
        self.is_silent = False
        self.at = at
        self.then = then
        self.reported = []

    def report(self, *, frames_done=0):
        self.reported.append(frames_done)
        if frames_done == self.at:
            self.then(self)

    def expect_silence(self):
        self.is_silent = True

    def now_s(self):
        return time.time()


class Work:
    """A job over a video, with its folder."""

    def __init__(self, video, folder, stages, **spec):
        self.files = JobFiles(folder)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(video, self.files.source)
        self.tokens = 0
        self.video = None
        self.kept = 0
        self.spec = JobSpec(
            **{
                "source_name": video.name,
                "upload": "abc",
                "pipeline": "test",
                "params": {},
                "definition": {"stages": stages},
                "outputs": TEXTS,
                **spec,
            }
        )

    def lease(self):
        self.tokens += 1
        progress = Progress(frames_kept=self.kept)
        job = Job(id="job", spec=self.spec, created_at=0.0, video=self.video, progress=progress)
        return Lease(
            token=f"t{self.tokens}",
            task=Task(job_id="job", kind=TaskKind.FINAL, queue=Queue.FINALIZE),
            job=job,
        )

    def chunks(self, cuts, *, pauses=()):
        """Make results of chunks that are cut before these frames."""
        pipeline = parse_definition(dict(self.spec.definition)).pipeline
        parts = split(pipeline, outputs=self.spec.outputs)
        with pipeline, closing(open_source(self.files.source)) as source:
            row = StageRow(parts.chunk_stages)
            outcomes = [(frame, row.process(frame)) for frame in source.frames()]
            stages = [stage.describe() for _, stage in parts.chunk_stages]
        bounds = [0, *sorted(cuts), len(outcomes)]
        paths = []
        for number, (begin, end) in enumerate(pairwise(bounds)):
            paths.append(self.files.chunk(number, f"c{number}"))
            with ChunkWriter(paths[-1], stream=source.info, stages=stages) as writer:
                for frame, outcome in outcomes[begin:end]:
                    writer.add(frame, outcome)
                writer.finish(Losses(), steps={"read": (end - begin, 0.5)})
        for place in pauses:
            paths.insert(place, None)
        return GivenChunks([*paths, FeedEnd.COMPLETE])

    def run(self, chunks, heartbeat=None):
        return do_final(self.lease(), self.files, chunks, heartbeat or Pulse())

    def summary(self):
        return json.loads((self.files.results / "summary.json").read_text())

    def results(self):
        return texts_in(self.files.results)


def texts_in(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.name in FILES}


def inline(video, folder, stages, *, max_failures=0, outputs=TEXTS):
    """Run inline; return the texts and the report."""
    pipeline = parse_definition({"stages": stages}).pipeline
    sinks = make_sinks(outputs, folder, tracked=True)
    report = pipeline.run(video, sinks, options=RunOptions(max_failures=max_failures))
    return texts_in(folder), report
