"""Stages, pipelines, their definitions, and the inline runner."""
