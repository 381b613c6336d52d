"""Sightline runs computer-vision pipelines over video."""
