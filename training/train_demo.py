"""Train the demo detector from generated scenes alone, and write it with its training record."""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import logging
import math
import platform
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from export import export
from network import DemoNetwork
from objective import Targets, loss
from samples import Samples, make_samples
from score import score

from sightline.media.scene import Scene, SceneSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST_TRAINING_SEED = 1_000_000
"""Scenes with smaller seeds are never trained on."""

_REPORTED_STEPS = 50

_log = logging.getLogger("train_demo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that decides what comes out of the training."""

    seed: int = 0
    height: int = 256
    width: int = 448
    scenes: int = 900
    frames_per_scene: int = 10
    epochs: int = 7
    batch: int = 32
    learning_rate: float = 2e-3
    warm_up: int = 200
    weight_decay: float = 0.03
    averaging: float = 0.998
    largest_gradient: float = 20.0


class _Average:
    """Exponential moving average of the weights: what is exported."""

    def __init__(self, network: DemoNetwork, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(requires_grad=False)
        self._decay = decay
        self._steps = 0

    @torch.no_grad()
    def update(self, network: DemoNetwork) -> None:
        self._steps += 1
        keep = min(self._decay, self._steps / (self._steps + 10))
        for mine, new in zip(
            self.network.state_dict().values(), network.state_dict().values(), strict=True
        ):
            if mine.dtype.is_floating_point:
                mine.lerp_(new, 1 - keep)
            else:
                mine.copy_(new)


def train(plan: Plan, samples: Samples, losses: list[float]) -> Iterator[DemoNetwork]:
    """Train, and yield the averaged network after every epoch; add the steps' losses to a list."""
    torch.manual_seed(plan.seed)
    network = DemoNetwork((plan.height, plan.width), len(Scene.class_names))
    network = network.to(memory_format=torch.channels_last)
    average = _Average(network, plan.averaging)
    steps_per_epoch = len(samples.images) // plan.batch
    optimizer = _optimizer(network, plan)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: _learning_rate(step, plan, steps_per_epoch * plan.epochs)
    )
    rng = np.random.default_rng(plan.seed)
    for epoch in range(1, plan.epochs + 1):
        order = rng.permutation(len(samples.images))[: steps_per_epoch * plan.batch]
        started = time.perf_counter()
        for step, rows in enumerate(order.reshape(-1, plan.batch), 1):
            images, targets = _batch(samples, np.sort(rows), rng)
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                value = loss(network, images, targets)
            value.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), plan.largest_gradient)
            optimizer.step()
            schedule.step()
            average.update(network)
            losses.append(float(value.detach()))
            if step % _REPORTED_STEPS == 0:
                mean = sum(losses[-_REPORTED_STEPS:]) / _REPORTED_STEPS
                rate = step * plan.batch / (time.perf_counter() - started)
                _log.info("epoch=%d step=%d loss=%.3f images_per_s=%.1f", epoch, step, mean, rate)
        yield average.network


def _optimizer(network: DemoNetwork, plan: Plan) -> torch.optim.Optimizer:
    """Decay the weights of convolutions, but neither biases nor normalisation."""
    kernels = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": kernels, "weight_decay": plan.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=plan.learning_rate)


def _learning_rate(step: int, plan: Plan, steps: int) -> float:
    """Rise in a straight line, then fall along a cosine to 1 %."""
    if step < plan.warm_up:
        return (step + 1) / plan.warm_up
    share = (step - plan.warm_up) / max(1, steps - plan.warm_up)
    return 0.01 + 0.99 * (1 + math.cos(math.pi * min(1.0, share))) / 2


def _batch(
    samples: Samples, rows: np.ndarray[Any, Any], rng: np.random.Generator
) -> tuple[torch.Tensor, Targets]:
    """Take samples; every second one, by chance, is mirrored."""
    images = samples.images[rows]
    boxes = samples.boxes[rows].copy()
    mirrored = rng.random(len(rows)) < 0.5
    images[mirrored] = images[mirrored, :, ::-1]
    boxes[mirrored] = boxes[mirrored][..., [2, 1, 0, 3]] * (-1, 1, -1, 1)
    boxes[mirrored] += np.array([1, 0, 1, 0], np.float32) * images.shape[2]
    classes = samples.classes[rows]
    most = max(1, int((classes != -1).sum(1).max()))
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255)
    tensor = tensor.contiguous(memory_format=torch.channels_last)
    return tensor, Targets(torch.from_numpy(boxes[:, :most]), torch.from_numpy(classes[:, :most]))


def _held_out() -> dict[str, list[SceneSettings]]:
    """Scenes to judge the finished model by, none of them trained on."""
    return {
        "default": [SceneSettings(seed=seed) for seed in range(20)],
        "20 objects": [SceneSettings(seed=seed, objects=20) for seed in range(100, 110)],
        "3 objects": [SceneSettings(seed=seed, objects=3) for seed in range(200, 220)],
        "1280x720": [SceneSettings(seed=s, width=1280, height=720) for s in range(300, 308)],
        "320x180": [SceneSettings(seed=s, width=320, height=180) for s in range(400, 410)],
        "640x480": [SceneSettings(seed=s, width=640, height=480) for s in range(500, 510)],
    }


def _figures(model: Path, scenes: dict[str, list[SceneSettings]]) -> dict[str, Any]:
    figures = {}
    for name, settings in scenes.items():
        result = score(model, settings)
        by_class = {key: round(value, 4) for key, value in result.by_class.items()}
        figures[name] = {"mean": round(result.mean, 4), **by_class}
        _log.info("scenes=%r map50=%s", name, figures[name])
    return figures


def _means(values: list[float], size: int) -> list[float]:
    return [
        sum(part) / len(part) for k in range(0, len(values), size) if (part := values[k : k + size])
    ]


def main() -> None:
    """Read the command line, train, export, judge, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the ONNX file to write")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--scenes", type=int, default=Plan().scenes)
    parser.add_argument("--epochs", type=int, default=Plan().epochs)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    plan = Plan(scenes=options.scenes, epochs=options.epochs)
    run(plan, options.output)


def run(plan: Plan, output: Path) -> None:
    """Train by a plan and write the model and, beside it, its training record."""
    started = time.perf_counter()
    size = plan.height, plan.width
    seeds = range(_FIRST_TRAINING_SEED, _FIRST_TRAINING_SEED + plan.scenes)
    samples = make_samples(seeds, plan.frames_per_scene, size, _log.info)
    rendered = time.perf_counter()
    losses: list[float] = []
    progress: list[float] = []
    watched = [SceneSettings(seed=900_000 + number, objects=10) for number in range(6)]
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.onnx"
        for network in train(plan, samples, losses):
            export(network, draft, size=size, class_names=Scene.class_names)
            progress.append(round(score(draft, watched).mean, 4))
            _log.info("epoch=%d map50=%.4f", len(progress), progress[-1])
        output.write_bytes(draft.read_bytes())
    record = {
        "model": output.name,
        "sha256": hashlib.sha256(output.read_bytes()).hexdigest(),
        "bytes": output.stat().st_size,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "plan": asdict(plan),
        "training_scene_seeds": [seeds.start, seeds.stop - 1],
        "training_images": len(samples.images),
        "loss_of_every_50_steps": [round(float(v), 4) for v in _means(losses, _REPORTED_STEPS)],
        "map50_after_each_epoch": progress,
        "map50_on_held_out_scenes": _figures(output, _held_out()),
        "seconds_rendering": round(rendered - started),
        "seconds_training": round(time.perf_counter() - rendered),
        "threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "onnx": onnx.__version__,
            "numpy": np.__version__,
        },
    }
    output.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
