"""Which job service a command talks to, and how what it says is shown."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sightline.cli.exits import Exit, status_of, worst
from sightline.client.sync import Client
from sightline.errors import ServiceError
from sightline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sightline.client.answers import RemoteJob

__all__ = ["connect", "describe", "each_job", "exit_of", "print_job", "service_options", "warn_of"]

_UNAUTHORIZED = 401
_NOTICED_WAIT_S = 1.0
_WHERE_KEYS_GO = "with --key-file, or in the environment's SIGHTLINE_SERVER_KEY"

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


@contextmanager
def connect(given: dict[str, Any]) -> Iterator[Client]:
    """Give the client that `service_options` and the environment describe.

    Raises:
        ServiceError: The service refuses for want of a key; it says how a command is given one.
    """
    settings = Settings.from_environment(os.environ)
    if given["server"]:
        settings = replace(settings, server_url=given["server"])
    if given["key_file"]:
        settings = replace(settings, server_key=given["key_file"].read().strip())
    on_wait = None if given.get("quiet") else _tell_wait
    with Client(settings.server_url, key=settings.server_key, on_wait=on_wait) as client:
        try:
            yield client
        except ServiceError as error:
            if error.status != _UNAUTHORIZED:
                raise
            if settings.server_key:
                message = f"{error}; give another one {_WHERE_KEYS_GO}"
            else:
                message = (
                    f"the service at {settings.server_url} needs a key: give it {_WHERE_KEYS_GO}"
                )
            raise ServiceError(message, status=error.status, code=error.code) from error


def _tell_wait(seconds: float, reason: str) -> None:
    """Say that the service is waited for, unless that is hardly noticed."""
    if seconds >= _NOTICED_WAIT_S:
        # A line of progress that is not ended gives way.
        begin = "\r\x1b[K" if sys.stderr.isatty() else ""
        click.echo(f"{begin}Waiting {seconds:.0f} s: {reason}", err=True)


def each_job(job_ids: Iterable[str], act: Callable[[str], Exit | None]) -> Exit:
    """Do something with each job; one that the service refuses does not end the others.

    Args:
        job_ids: The jobs.
        act: What to do; gives the exit status for a job, or None if all is well.

    Returns:
        The worst status.

    Raises:
        ServiceError: It would be the same with all: there is no answer, or no valid key.
    """
    statuses = []
    for job_id in job_ids:
        try:
            statuses.append(act(job_id) or Exit.OK)
        except ServiceError as error:
            if error.status in (None, _UNAUTHORIZED):
                raise
            click.echo(f"Error: {job_id}: {error}", err=True)
            statuses.append(status_of(error))
    return worst(statuses)


def print_job(job: RemoteJob, *, as_json: bool, err: bool = False) -> None:
    """Print a job as one line."""
    click.echo(json.dumps(job.document) if as_json else f"{job.id}  {describe(job)}", err=err)


def warn_of(job: RemoteJob) -> None:
    """Print what a job has to warn of, on standard error."""
    for message in job.warnings:
        click.echo(f"Warning: {job.source_name}: {message}", err=True)


def describe(job: RemoteJob) -> str:
    """Say in one line where a job stands."""
    parts = [f"{job.status:<10}", job.source_name]
    progress = job.progress
    if job.status == "queued" and progress.get("queue_position"):
        before = progress["queue_position"]
        parts.append(f"{before} {'job' if before == 1 else 'jobs'} before it")
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
    if job.warnings:
        parts.append("(1 warning)" if len(job.warnings) == 1 else f"({len(job.warnings)} warnings)")
    return "  ".join(parts)


def exit_of(job: RemoteJob) -> Exit:
    """Choose the exit status for a job that has ended."""
    if job.status == "canceled":
        return Exit.INTERRUPTED
    if not job.succeeded:
        return Exit.FAILED
    return Exit.INCOMPLETE if job.warnings else Exit.OK
