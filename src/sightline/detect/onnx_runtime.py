"""ONNX Runtime: choosing an execution provider, opening sessions, and threads.

Nothing here knows what a detection is. The runtime is imported when first used, because that
takes longer than all of Sightline.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from sightline.detect.focus import folded
from sightline.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Provider",
    "ThreadPlan",
    "available_providers",
    "choose_providers",
    "confirm_provider",
    "open_session",
    "plan_threads",
    "runtime_error",
]

_log = logging.getLogger(__name__)

_MAX_PARALLEL = 8
"""Every run in progress holds its own intermediate tensors; more than this costs memory only."""


class Provider(Enum):
    """What executes a model, in order of preference; the values are the choices of `--provider`."""

    TENSORRT = "tensorrt"
    CUDA = "cuda"
    OPENVINO = "openvino"
    COREML = "coreml"
    CPU = "cpu"

    @property
    def runtime_name(self) -> str:
        """The name that ONNX Runtime gives it."""
        return _RUNTIME_NAMES[self]


_RUNTIME_NAMES = {
    Provider.TENSORRT: "TensorrtExecutionProvider",
    Provider.CUDA: "CUDAExecutionProvider",
    Provider.OPENVINO: "OpenVINOExecutionProvider",
    Provider.COREML: "CoreMLExecutionProvider",
    Provider.CPU: "CPUExecutionProvider",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadPlan:
    """How a session uses the cores.

    Attributes:
        parallel: Runs at once.
        threads_per_run: Threads of each.
        ahead: Batches that are prepared or read out beside the runs; 0 where no core is left.
    """

    parallel: int
    threads_per_run: int
    ahead: int = 1


def plan_threads(
    cores: int, *, parallel: int | None, threads_per_run: int | None, provider: Provider
) -> ThreadPlan:
    """Divide the cores among runs; None lets this function choose.

    Runs side by side use cores better than threads inside a run: on two cores YOLOX-Nano makes
    157 images/s in two runs of one thread, and 118 in one run of two threads. An accelerator gets
    one run at a time. Where every core has a run of its own, preparing ahead only costs.

    >>> plan_threads(4, parallel=None, threads_per_run=None, provider=Provider.CPU)
    ThreadPlan(parallel=4, threads_per_run=1, ahead=0)
    >>> plan_threads(4, parallel=1, threads_per_run=None, provider=Provider.CPU)
    ThreadPlan(parallel=1, threads_per_run=4, ahead=1)
    """
    if parallel is None:
        most = cores // (threads_per_run or 1) if provider is Provider.CPU else 1
        parallel = max(1, min(most, _MAX_PARALLEL))
    threads_per_run = threads_per_run or max(1, cores // parallel)
    run_per_core = provider is Provider.CPU and threads_per_run == 1 and parallel >= cores
    ahead = 0 if run_per_core else 1
    return ThreadPlan(parallel=parallel, threads_per_run=threads_per_run, ahead=ahead)


def available_providers() -> tuple[Provider, ...]:
    """List the providers that the installed ONNX Runtime was built with, the preferred first."""
    import onnxruntime

    installed = set(onnxruntime.get_available_providers())
    return tuple(provider for provider in Provider if provider.runtime_name in installed)


def choose_providers(
    asked: Provider | None, available: tuple[Provider, ...]
) -> tuple[Provider, ...]:
    """List the providers to try in turn: the one asked for, or else all there are.

    Raises:
        ModelError: The provider asked for is not available.
    """
    if asked is None:
        return available
    if asked not in available:
        names = ", ".join(provider.value for provider in available)
        raise ModelError(
            f"provider {asked.value!r} is not in the installed ONNX Runtime, which has: {names}"
        )
    return (asked,)


def open_session(
    path: Path, *, providers: tuple[Provider, ...], plan: ThreadPlan
) -> tuple[Any, Provider]:
    """Load a model file; a Focus layer is folded, see `focus`.

    Args:
        path: The model file.
        providers: What to try in turn, from `choose_providers`.
        plan: Threads per run. With more than one, idle threads spin for a moment before they
            sleep: 118 images/s against 81.

    Returns:
        The `onnxruntime.InferenceSession` and the provider that it runs on.

    Raises:
        ModelError: The file cannot be loaded, or the only provider allowed cannot be used.
    """
    import onnxruntime

    _check_file(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = plan.threads_per_run
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    spin = "1" if plan.threads_per_run > 1 else "0"
    options.add_session_config_entry("session.intra_op.allow_spinning", spin)
    names = [provider.runtime_name for provider in providers]
    session = _create_session(path, folded(path) or str(path), options, names)
    return session, confirm_provider(session.get_providers(), providers)


def _create_session(path: Path, model: str | bytes, options: Any, providers: list[str]) -> Any:
    """Try one provider after the other; a provider that breaks, breaks the whole session."""
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(model, options, providers=providers, enable_fallback=0)
    except Exception as error:  # the runtime's exceptions have no base of their own
        if len(providers) == 1:
            raise ModelError(f"cannot load the model {path}: {runtime_error(error)}") from error
        _log.warning("provider=%s failed=%s", providers[0], runtime_error(error))
    return _create_session(path, model, options, providers[1:])


def confirm_provider(active: list[str], wanted: tuple[Provider, ...]) -> Provider:
    """Find out which provider a session really runs on: the runtime falls back without an error.

    Args:
        active: Names that the session reports, the first being the one in charge.
        wanted: What was asked for, in turn.

    Raises:
        ModelError: Only one provider was wanted, and the session runs on another.
    """
    chosen = next(provider for provider in Provider if provider.runtime_name == active[0])
    if chosen is wanted[0]:
        return chosen
    if chosen not in wanted:
        raise ModelError(
            f"provider {wanted[0].value!r} is installed but cannot be used (is its driver there?); "
            f"ONNX Runtime fell back to {chosen.value!r}"
        )
    _log.warning("provider=%s preferred=%s reason=cannot_be_used", chosen.value, wanted[0].value)
    return chosen


def _check_file(path: Path) -> None:
    if not path.exists():
        raise ModelError(f"the model file {path} does not exist")
    if not path.is_file():
        raise ModelError(f"the model {path} is not a file")
    if path.stat().st_size == 0:
        raise ModelError(f"the model file {path} is empty")


def runtime_error(error: Exception) -> str:
    """Say in one line what ONNX Runtime complains about.

    >>> runtime_error(RuntimeError("[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Load failed:Bad."))
    'Load failed:Bad.'
    """
    return " ".join(str(error).split(" : ")[-1].split())
