"""On what a benchmark ran: enough to judge its figures, nothing about who ran it."""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from sightline.pipeline.versions import versions

__all__ = ["describe_machine"]


def describe_machine() -> dict[str, Any]:
    """State time, commit, processor, cores and versions, as JSON values."""
    return {
        "time": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions(),
    }


def _commit() -> str:
    """Name the commit of the checkout that the package lies in; `+` marks changes."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"],  # noqa: S607 - whatever git is on the path
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except OSError:
        return "unknown: git is not installed"
    return done.stdout.strip() if done.returncode == 0 else "unknown: not a checkout"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else "unknown"
