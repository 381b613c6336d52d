"""The hop through openfilter, in an environment of its own, at the best setting that was found.

Tried with openfilter 1.5.1, in turn, on 2 cores, at the three sizes of the benchmark:

- Best is shared memory with 2 slots and `sources_low_latency`, without metrics, frame numbers and
  log files: at 1920x1080 half as many frames per second again as with 4 slots and the default.
- By default a filter asks for the next frame when it receives one, and asks again when it has to
  wait, which the sender takes for a further request. So more frames are under way than the slots
  allow for: with 2 slots most are overwritten before they are read, with 4 or 8 none was.
- By sockets instead of shared memory, asking early, frames are lost at full speed at every size,
  and at 3840x2160 also at 30 frames per second.
- TCP instead of IPC, and the context of OpenTelemetry in each message, make no clear difference.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.bench.hop.load import MARKS, WARM_UP, Samples
from sightline.bench.hop.processes import IDLE_MS
from sightline.errors import GraphError, MissingExtraError

if TYPE_CHECKING:
    from sightline.bench.hop.load import HopLoad, HopResult

__all__ = ["BEST", "OTHER_SETTINGS", "OpenFilterSettings", "openfilter", "openfilter_version"]

_FILTERS = Path(__file__).with_name("openfilter_filters")
_RUN_S = 600.0
_VERSION = "from importlib.metadata import version; print(version('openfilter'))"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFilterSettings:
    """What a user of openfilter may set that costs or gains time.

    Attributes:
        slots: Slots of its shared memory, each as large as an image; 0 sends raw images through
            its sockets instead.
        low_latency: Whether a filter asks for a frame only when it has done with the one before.
        extras: Whether filters send their metrics and frame numbers beside each frame and write
            log files, all of which they do by default.
    """

    slots: int = 2
    low_latency: bool = True
    extras: bool = False

    def __post_init__(self) -> None:
        if self.slots == 1 or self.slots < 0:
            raise ValueError(f"slots must be 0, or 2 or more, but is {self.slots}")

    def environment(self, load: HopLoad) -> dict[str, str]:
        """State the environment of the processes; nothing else is in it."""
        variables = {
            "AUTO_DOWNLOAD": "false",
            "DO_NOT_TRACK": "true",
            "GPU_METRICS": "false",
            "LOG_LEVEL": "WARNING",
        }
        if self.slots:
            variables["OPENFILTER_SHM_ENABLE"] = "true"
            variables["OPENFILTER_SHM_NSLOTS"] = str(self.slots)
            variables["OPENFILTER_SHM_SLOT_SIZE"] = str(load.image_bytes)
        return variables

    def config(self) -> dict[str, Any]:
        """State what all filters are configured with; images are never compressed."""
        return {
            "log_path": "logs" if self.extras else False,
            "outputs_filter": self.extras,
            "outputs_jpg": False,
            "outputs_metrics": self.extras,
            "sources_low_latency": self.low_latency,
        }


BEST = OpenFilterSettings()

OTHER_SETTINGS = {
    "4 slots": OpenFilterSettings(slots=4),
    "asks early, 2": OpenFilterSettings(low_latency=False),
    "asks early, 4": OpenFilterSettings(slots=4, low_latency=False),
    "asks early, 8": OpenFilterSettings(slots=8, low_latency=False),
    "sockets": OpenFilterSettings(slots=0),
    "extras": OpenFilterSettings(extras=True),
}
"""What else was tried; see the head of the module."""


def openfilter(load: HopLoad, *, python: Path, settings: OpenFilterSettings = BEST) -> HopResult:
    """Send images through three filters.

    Args:
        load: What to send.
        python: Python of an environment that has openfilter.
        settings: How to set openfilter.

    Raises:
        GraphError: The filters failed.
    """
    with tempfile.TemporaryDirectory(prefix="sightline-hop-") as folder:
        task = {
            "width": load.width,
            "height": load.height,
            "rate": load.rate,
            "total": load.total,
            "warm_up": WARM_UP,
            "marks": MARKS,
            "idle_ms": IDLE_MS,
            "addresses": [f"ipc://{folder}/images", f"ipc://{folder}/results"],
            "config": settings.config(),
        }
        output = _run(
            [str(python), str(_FILTERS), json.dumps(task)],
            folder=folder,
            environment=settings.environment(load),
        )
    return Samples(**json.loads(output)).summarise()


def openfilter_version(python: Path) -> str:
    """Ask an environment for its version of openfilter.

    Raises:
        MissingExtraError: It has none, or there is no such Python.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the Python that the caller names
            [python, "-c", _VERSION], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise MissingExtraError(
            f"{python} has no openfilter: make an environment for it, and there "
            "pip install -r requirements/bench-hop.txt"
        ) from error
    return done.stdout.strip()


def _run(command: list[str], *, folder: str, environment: dict[str, str]) -> str:
    """Run a command in a process group of its own, which ends with it in any case."""
    process = subprocess.Popen(  # noqa: S603 - the Python that the caller names
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            output, complaints = process.communicate(timeout=_RUN_S)
        except subprocess.TimeoutExpired as error:
            raise GraphError(f"openfilter did not end within {_RUN_S:.0f} s") from error
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        last = complaints.strip().rpartition("\n")[2]
        raise GraphError(f"openfilter ended with status {process.returncode}: {last}")
    return output
