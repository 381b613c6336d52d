"""Which job service a command talks to, and how what it says is shown."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sightline.cli.exits import Exit
from sightline.client.sync import Client
from sightline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.client.answers import RemoteJob

__all__ = ["connect", "describe", "exit_of", "print_job", "service_options"]

Command = TypeVar("Command", bound="Callable[..., Any]")


def service_options(command: Command) -> Command:
    """Add the options that say where the service is."""
    for option in (
        click.option(
            "--key-file",
            type=click.File("r", encoding="utf-8"),
            help="File with a key of the service. [the environment's SIGHTLINE_SERVER_KEY]",
        ),
        click.option(
            "--server",
            metavar="URL",
            help="Address of the service. [SIGHTLINE_SERVER_URL, or http://127.0.0.1:8080]",
        ),
    ):
        command = option(command)
    return command


def connect(given: dict[str, Any]) -> Client:
    """Make the client that `service_options` and the environment describe."""
    settings = Settings.from_environment(os.environ)
    if given["server"]:
        settings = replace(settings, server_url=given["server"])
    if given["key_file"]:
        settings = replace(settings, server_key=given["key_file"].read().strip())
    return Client(settings.server_url, key=settings.server_key)


def print_job(job: RemoteJob, *, as_json: bool, err: bool = False) -> None:
    """Print a job as one line."""
    click.echo(json.dumps(job.document) if as_json else f"{job.id}  {describe(job)}", err=err)


def describe(job: RemoteJob) -> str:
    """Say in one line where a job stands."""
    parts = [f"{job.status:<10}", job.source_name]
    progress = job.progress
    if job.status == "queued" and progress.get("queue_position"):
        parts.append(f"{progress['queue_position']} jobs before it")
    elif not job.terminal and progress.get("percent") is not None:
        parts.append(f"{progress['percent']:.0f} %")
        if progress.get("fps"):
            parts.append(f"{progress['fps']:.1f} frames/s")
        if progress.get("eta_s") is not None:
            parts.append(f"{progress['eta_s']:.0f} s left")
    if job.error:
        parts.append(job.error["message"])
    if job.partial:
        parts.append("(results of the beginning only)")
    return "  ".join(parts)


def exit_of(job: RemoteJob) -> Exit:
    """Choose the exit status for a job that has ended."""
    if job.status == "canceled":
        return Exit.INTERRUPTED
    if not job.succeeded:
        return Exit.FAILED
    return Exit.INCOMPLETE if job.warnings else Exit.OK
