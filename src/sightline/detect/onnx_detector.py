"""Detectors that run an ONNX model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from sightline.detect.class_names import class_ids
from sightline.detect.huge_pages import prefer_huge_pages
from sightline.detect.interpretation import interpret
from sightline.detect.model_file import ModelFile
from sightline.detect.nms import Suppression, suppress
from sightline.detect.onnx_model import OnnxModel
from sightline.detect.onnx_options import OnnxOptions
from sightline.detect.onnx_runtime import (
    Provider,
    available_providers,
    choose_providers,
    plan_threads,
)
from sightline.detect.preprocess import Preprocessor
from sightline.detections import Detections
from sightline.errors import ModelError
from sightline.processors import usable_cores
from sightline.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from sightline.detect.interpretation import Interpretation
    from sightline.detect.layouts.layout import Candidates, Outputs
    from sightline.detect.onnx_runtime import ThreadPlan
    from sightline.detect.preprocess import Fit
    from sightline.frame import Image

__all__ = ["OnnxDetector"]

_LARGEST_CONFIDENCE = 1.001
"""Rounding in float16 may lift a score above 1; more says that it is no probability."""
_SETTLED_AFTER = 5
"""Runs of each thread after which ONNX Runtime has taken the memory that it goes on with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """Everything that `open()` makes. Immutable: threads in `detect` survive `close()`.

    Where images are prepared ahead, runs have threads of their own, one per run at once: a model
    whose runs wander between threads wanders between cores, and finds its weights in the other
    one's cache (8 % slower, measured). The threads end when nothing refers to this any more. Where
    they are not, each caller runs the model itself and its images stay in the cache of its core.
    `counter` counts the runs.
    """

    model: OnnxModel
    interpretation: Interpretation
    preprocessor: Preprocessor
    classes: NDArray[np.int32] | None
    plan: ThreadPlan
    runs: ThreadPoolExecutor | None
    counter: Iterator[int]


class OnnxDetector:
    """Finds objects with an ONNX model. Threads may share one detector; see `Detector`.

    While one thread's images are inferred, another's are prepared: `concurrency` is one more than
    the number of runs at once, unless the runs occupy all cores anyway.
    """

    scope = Scope.STATELESS
    changeable = frozenset({"confidence", "nms"})

    def __init__(self, model: Path | ModelFile, *, options: OnnxOptions | None = None) -> None:
        self._file = ModelFile.at(model) if isinstance(model, Path) else model
        self._options = options or OnnxOptions()
        self._opening = Lock()
        self._loaded: _Loaded | None = None
        plan = self._plan(self._options.provider or Provider.CPU)
        self.concurrency = plan.parallel + plan.ahead

    def __reduce__(self) -> tuple[Callable[[ModelFile], OnnxDetector], tuple[ModelFile]]:
        """Copy it, or send it to another process, as it was made: it is opened there."""
        return partial(type(self), options=self._options), (self._file,)

    def open(self) -> None:
        """Locate the file, load it, and find out how to use it; see `Detector`."""
        with self._opening:
            if self._loaded is None:
                self._loaded = self._load()
                plan = self._loaded.plan
                self.concurrency = plan.parallel + plan.ahead

    def close(self) -> None:
        """Release the model; see `Detector`."""
        with self._opening:
            self._loaded = None

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Find the objects in each image, most confident first; see `Detector`.

        Images go through the model in one run where it takes any number, else in runs of as many
        as it takes.

        Raises:
            ModelError: A run failed, or its results make no sense for the layout.
        """
        loaded = self._loaded
        if loaded is None:
            raise RuntimeError("the detector is not open: call open() first")
        if not images:
            return []
        if len({image.shape for image in images}) > 1:
            raise ValueError("all images of one call must be of one shape")
        step = loaded.model.image.batch or len(images)
        return [
            detections
            for start in range(0, len(images), step)
            for detections in self._detect_batch(loaded, images[start : start + step])
        ]

    def change(self, **options: Any) -> None:
        """Change options that every image is decoded with; see `AdjustableDetector`."""
        if fixed := sorted(options.keys() - self.changeable):
            raise ValueError(f"option {fixed[0]!r} cannot be changed while the detector is in use")
        self._options = replace(self._options, **options)

    def describe(self) -> dict[str, Any]:
        """State name, options and, once open, all that the results depend on; see `Detector`."""
        facts: dict[str, Any] = {"name": self._file.name, "options": self._options.describe()}
        if self._loaded is not None:
            loaded = self._loaded
            image = loaded.model.image
            facts |= loaded.interpretation.describe() | {
                "file": loaded.model.path.name,
                "sha256": loaded.model.sha256,
                "provider": loaded.model.provider.value,
                "parallel": loaded.plan.parallel,
                "threads_per_run": loaded.plan.threads_per_run,
                "input": {
                    "size": [image.width, image.height],
                    "batch": image.batch,
                    "dtype": str(image.dtype),
                },
                "versions": _versions(),
            }
        return facts

    def _plan(self, provider: Provider) -> ThreadPlan:
        options = self._options
        return plan_threads(
            usable_cores(),
            parallel=options.parallel,
            threads_per_run=options.threads_per_run,
            provider=provider,
        )

    def _load(self) -> _Loaded:
        options = self._options
        if options.layout is None:
            options = replace(options, layout=self._file.layout)
        if options.names is None:
            options = replace(options, names=self._file.class_names or None)
        path = self._file.locate()
        providers = choose_providers(options.provider, available_providers())
        plan = self._plan(providers[0])
        model = OnnxModel.load(path, providers=providers, plan=plan, size=options.size)
        interpretation = interpret(model, layout=options.layout, names=options.names)
        classes = None
        if options.classes is not None:
            wanted = class_ids(options.classes, interpretation.class_names)
            classes = np.array(sorted(wanted), np.int32)
        return _Loaded(
            model=model,
            interpretation=interpretation,
            preprocessor=Preprocessor(model.image, interpretation.head.convention),
            classes=classes,
            plan=plan,
            runs=ThreadPoolExecutor(plan.parallel, thread_name_prefix="sightline-inference")
            if plan.ahead
            else None,
            counter=count(),
        )

    def _detect_batch(self, loaded: _Loaded, images: Sequence[Image]) -> list[Detections]:
        model = loaded.model
        padding = [images[0]] * ((model.image.batch or len(images)) - len(images))
        fit = loaded.preprocessor.fit(images[0])
        tensor = loaded.preprocessor.prepare([*images, *padding], fit)
        run = partial(
            model.run,
            tensor,
            outputs=loaded.interpretation.head.outputs,
            frame_size=fit.frame_size,
        )
        outputs = loaded.runs.submit(run).result() if loaded.runs else run()
        if next(loaded.counter) == _SETTLED_AFTER * loaded.plan.parallel:
            prefer_huge_pages()
        return [
            self._decode(loaded, [output[row] for output in outputs], fit)
            for row in range(len(images))
        ]

    def _decode(self, loaded: _Loaded, outputs: Outputs, fit: Fit) -> Detections:
        options, head = self._options, loaded.interpretation.head
        found = head.decode(outputs, fit=fit, confidence=options.confidence)
        _check_plausible(found, head.layout.value)
        if loaded.classes is not None:
            found = found.select(np.isin(found.class_id, loaded.classes))
        if head.overlapping:
            class_wise = options.suppression is Suppression.CLASS_WISE
            order = suppress(
                found.xyxy,
                found.confidence,
                class_id=found.class_id if class_wise else None,
                iou=options.nms,
            )
        else:
            order = np.argsort(-found.confidence, kind="stable")
        found = found.select(order[: options.max_detections])
        return Detections(
            xyxy=found.xyxy,
            confidence=np.minimum(found.confidence, 1),
            class_id=found.class_id,
            class_names=loaded.interpretation.class_names,
        )


def _check_plausible(found: Candidates, layout: str) -> None:
    """Refuse results that show that the outputs mean something else than believed.

    Raises:
        ModelError: A confidence is greater than 1, or a box is not finite.
    """
    if not len(found.confidence):
        return
    if found.confidence.max() > _LARGEST_CONFIDENCE or not np.isfinite(found.xyxy).all():
        raise ModelError(
            f"read as layout {layout}, the model's outputs give a confidence of "
            f"{found.confidence.max():.4g} and boxes up to {np.abs(found.xyxy).max():.4g}, "
            "which makes no sense: set the option layout to the right one"
        )


def _versions() -> dict[str, str]:
    import onnxruntime

    return {
        "onnxruntime": onnxruntime.__version__,
        "opencv": cv2.__version__,
        "numpy": np.__version__,
    }
