"""Talking to a job service from Python. It knows the HTTP interface, and nothing of the service."""

__all__: list[str] = []
