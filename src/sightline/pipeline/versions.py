"""The versions that a result depends on, for reports."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import version

from sightline.version import __version__

__all__ = ["versions"]

_PACKAGES = ("av", "numpy", "onnxruntime", "opencv-python-headless", "scipy")


@cache
def versions() -> dict[str, str]:
    """List the versions of Sightline, Python and the packages that results depend on."""
    return {
        "sightline": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
    }
