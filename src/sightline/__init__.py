"""Sightline runs computer-vision pipelines over video: inline, in real time, and as jobs."""

from sightline.version import __version__

__all__ = ["__version__"]
