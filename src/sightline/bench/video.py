"""The benchmark of `sightline track`: video in, tracks out, against the plain loop.

Sides, all with the same model on the same video, in turn, the loops in processes of their own:

    loop             the plain loop, inference on all cores
    sightline        the inline runner as the command line sets it up, all outputs but the video
    loop, 1 thread   the plain loop, inference on one thread
    sightline, 1     the inline runner with one inference at a time, on one thread
    inference, 1     the model alone on one thread: no decoding, no boxes, no outputs
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.bench.interleave import interleave
from sightline.bench.loop_process import LoopProcess
from sightline.bench.plain_loop import PlainLoop
from sightline.media.opening import open_source
from sightline.pipeline.outputs import ALL_FORMATS, make_sinks
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.stages import Detect, Track

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.bench.interleave import Comparison
    from sightline.pipeline.stage import Stage

__all__ = ["INFERENCE_1", "LOOP", "LOOP_1", "SIGHTLINE", "SIGHTLINE_1", "VideoBenchmark"]

LOOP = "loop, all cores"
SIGHTLINE = "sightline, all cores"
LOOP_1 = "loop, 1 inference thread"
SIGHTLINE_1 = "sightline, 1 inference thread"
INFERENCE_1 = "inference alone, 1 thread"

_FORMATS = tuple(name for name in ALL_FORMATS if name != "video")


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoBenchmark:
    """What to measure.

    Attributes:
        video: The video; all of it is processed in every round.
        model: ONNX file of a YOLOX model with a fixed input size.
        rounds: How many rounds count, after one that does not.
    """

    video: Path
    model: Path
    rounds: int = 5

    def run(self) -> Comparison:
        """Measure the frames per second of all sides.

        Raises:
            MediaError: The video cannot be read.
            ModelError: The model cannot be used.
            SightlineError: The loop cannot use the model.
        """
        frames = self._count_frames()
        one_thread = self._stages(parallel=1, threads_per_run=1)
        with (
            Pipeline(self._stages()) as all_cores,
            Pipeline(one_thread) as single,
            LoopProcess(self.model) as loop,
            LoopProcess(self.model, threads=1) as loop_1,
        ):
            alone = PlainLoop(self.model, threads=1)
            sides: dict[str, Callable[[], int]] = {
                LOOP: lambda: loop.run(self.video),
                SIGHTLINE: lambda: self._track(all_cores),
                LOOP_1: lambda: loop_1.run(self.video),
                SIGHTLINE_1: lambda: self._track(single),
                INFERENCE_1: lambda: alone.infer(frames),
            }
            return interleave(
                {name: _rate(work) for name, work in sides.items()}, rounds=self.rounds
            )

    def _count_frames(self) -> int:
        source = open_source(self.video)
        try:
            return sum(1 for _ in source.frames())
        finally:
            source.close()

    def _stages(self, **options: Any) -> list[Stage]:
        return [Detect(self.model, **options), Track()]

    def _track(self, pipeline: Pipeline) -> int:
        with tempfile.TemporaryDirectory() as folder:
            sinks = make_sinks(_FORMATS, Path(folder), tracked=True)
            return pipeline.run(self.video, sinks).frames


def _rate(work: Callable[[], int]) -> Callable[[], float]:
    """Turn work that returns a number of frames into a measurement of frames per second."""

    def measure() -> float:
        started = time.perf_counter()
        frames = work()
        return frames / (time.perf_counter() - started)

    return measure
