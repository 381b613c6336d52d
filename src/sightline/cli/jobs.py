"""`sightline submit`, `jobs`, `wait`, `cancel`, `retry`, `delete`, `download`: a job service."""

from __future__ import annotations

import sys
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.cli.download import DownloadBar
from sightline.cli.job_connection import (
    connect,
    describe,
    each_job,
    exit_of,
    print_job,
    service_options,
    warn_of,
)
from sightline.cli.outputs import split_formats
from sightline.cli.parameters import label_filter, name_and_text, name_and_value
from sightline.client.options import JobOptions
from sightline.client.sources import check_source
from sightline.errors import OutputError, ServiceError, SightlineError
from sightline.pipeline.outputs import ALL_FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.cli.exits import Exit
    from sightline.client.answers import RemoteJob
    from sightline.client.sync import Client

__all__ = ["cancel", "delete", "download", "jobs", "retry", "submit", "wait"]

_LINE_EVERY_S = 5.0
_as_json = click.option("--json", "as_json", is_flag=True, help="Print jobs as lines of JSON.")
_quiet = click.option("-q", "--quiet", is_flag=True, help="Show no progress.")


@click.command("submit")
@click.argument("videos", metavar="VIDEO...", nargs=-1, required=True)
@click.option("-d", "--detector", help="What finds objects; the service lists what it has.")
@click.option("--classes", metavar="NAMES", help="Keep these classes only: person,car.")
@click.option("--confidence", type=click.FloatRange(0, 1), help="Keep detections above.")
@click.option("--tracker", help="How objects are followed; none: they are not.")
@click.option("--pipeline", help="One of the pipelines of the service. [detect-track]")
@click.option(
    "--param",
    "params",
    type=name_and_value,
    metavar="NAME=VALUE",
    multiple=True,
    help="Any other parameter of the pipeline; repeatable.",
)
@click.option(
    "-f",
    "--format",
    "formats",
    type=split_formats,
    metavar="FORMATS",
    multiple=True,
    help=f"Outputs to make, of {', '.join(ALL_FORMATS)}; repeatable. [all but parquet and video]",
)
@click.option("--start", type=click.FloatRange(0), help="Leave out what is earlier, in seconds.")
@click.option("--end", type=click.FloatRange(0), help="Leave out what is later, in seconds.")
@click.option(
    "--label",
    "labels",
    type=name_and_text,
    metavar="NAME=VALUE",
    multiple=True,
    help="A name and value of your own, to find the job by; repeatable.",
)
@click.option("--webhook", metavar="URL", help="Where the service is to tell of the end.")
@click.option(
    "--priority",
    type=click.Choice(["normal", "interactive"]),
    help="interactive: before all jobs that are normal. [normal]",
)
@click.option("--wait", "wait_for_end", is_flag=True, help="Wait for the end of every job.")
@_quiet
@_as_json
@service_options
@click.pass_context
def submit(ctx: click.Context, /, **given: Any) -> None:
    """Submit each VIDEO to a job service: a file, which is uploaded, or a URL.

    Prints a line per job, beginning with its id; with --wait, when the job is at its end.

    \b
    Exit status, with --wait: 0 done; 1 a job failed; 3 done, but part of a video could not be
    decoded; 130 canceled; 2 refused, or no answer. With several videos, the worst of 2, 1, 130, 3.
    """  # noqa: D301 - \b is click's mark for a paragraph that it must not wrap
    options = _options(given)
    for video in given["videos"]:
        check_source(video)
    with connect(given) as client:
        job_ids = _submit_each(client, options, given)
        if given["wait_for_end"]:
            _wait(ctx, client, job_ids, given)


@click.command("jobs")
@click.option("--status", help="Only jobs in this state.")
@click.option("--label", type=label_filter, metavar="NAME=VALUE", help="Only jobs with this label.")
@click.option("--text", help="Only jobs with this in the name of their video.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most.")
@_as_json
@service_options
def jobs(**given: Any) -> None:
    """List jobs, newest first."""
    wanted = {"status": given["status"], "label": given["label"], "q": given["text"]}
    filters = {name: value for name, value in wanted.items() if value}
    with connect(given) as client:
        for job in islice(client.jobs(**filters), given["limit"]):
            print_job(job, as_json=given["as_json"])


@click.command("wait")
@click.argument("job_ids", metavar="JOB...", nargs=-1, required=True)
@_quiet
@_as_json
@service_options
@click.pass_context
def wait(ctx: click.Context, /, **given: Any) -> None:
    """Wait for the end of each JOB; the exit status is that of `submit --wait`."""
    with connect(given) as client:
        _wait(ctx, client, given["job_ids"], given)


@click.command("cancel")
@click.argument("job_ids", metavar="JOB...", nargs=-1, required=True)
@_as_json
@service_options
@click.pass_context
def cancel(ctx: click.Context, /, **given: Any) -> None:
    """Cancel each JOB; what was finished of it is kept."""
    with connect(given) as client:
        _print_each(ctx, client.cancel, given)


@click.command("retry")
@click.argument("job_ids", metavar="JOB...", nargs=-1, required=True)
@_as_json
@service_options
@click.pass_context
def retry(ctx: click.Context, /, **given: Any) -> None:
    """Queue each failed or canceled JOB again; it goes on from its finished parts."""
    with connect(given) as client:
        _print_each(ctx, client.retry, given)


@click.command("delete")
@click.argument("job_ids", metavar="JOB...", nargs=-1, required=True)
@service_options
@click.pass_context
def delete(ctx: click.Context, /, **given: Any) -> None:
    """Remove each JOB that has ended, with its video and results."""
    with connect(given) as client:
        ctx.exit(each_job(given["job_ids"], client.delete))


@click.command("download")
@click.argument("job_id", metavar="JOB")
@click.option(
    "-f",
    "--format",
    "formats",
    metavar="FORMATS",
    multiple=True,
    help=f"Of {', '.join(ALL_FORMATS)}, summary; repeatable. [all that there are]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Folder to write to. [the current one]",
)
@_quiet
@service_options
def download(**given: Any) -> None:
    """Download the results of JOB, and print the paths of the files."""
    formats = {name for group in given["formats"] for name in group.split(",")}
    output: Path = given["output"]
    with connect(given) as client:
        results = _results_of(client, given["job_id"])
        missing = formats - {result["format"] for result in results}
        if missing:
            there = ", ".join(result["format"] for result in results) or "none"
            raise click.UsageError(f"The job has no {', '.join(sorted(missing))}; it has {there}.")
        _make(output)
        for result in results:
            if not formats or result["format"] in formats:
                with DownloadBar(quiet=given["quiet"], what="downloading") as bar:
                    to = output / _file_name(result["name"])
                    path = client.download(given["job_id"], result["format"], to, on_progress=bar)
                click.echo(path)


def _print_each(ctx: click.Context, act: Callable[[str], RemoteJob], given: dict[str, Any]) -> None:
    """Do something with each job, print what each is then, and end with the status of that."""
    as_json = given["as_json"]
    ctx.exit(each_job(given["job_ids"], lambda job_id: print_job(act(job_id), as_json=as_json)))


def _results_of(client: Client, job_id: str) -> list[dict[str, Any]]:
    job = client.get(job_id)
    results = client.results(job_id)
    if not results and not job.terminal:
        raise ServiceError(
            f"the job has no results yet, it is {job.status}; "
            f"wait for its end with: sightline wait {job_id}"
        )
    if not results:
        raise ServiceError(f"the job has ended without results; its state is {job.status}")
    return results


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror}") from error


def _file_name(name: str) -> str:
    """Take the last part of what a server says for the name of a file here."""
    last = Path(name).name
    if last in ("", ".."):
        raise ServiceError(f"the service names a result {name!r}, which is no name for a file")
    return last


def _options(given: dict[str, Any]) -> JobOptions:
    params = dict(given["params"])
    for name in ("detector", "tracker", "confidence"):
        if given[name] is not None:
            params[name] = given[name]
    if given["classes"]:
        params["classes"] = given["classes"].split(",")
    return JobOptions(
        pipeline=given["pipeline"],
        params=params,
        outputs=[name for group in given["formats"] for name in group] or None,
        start_s=given["start"],
        end_s=given["end"],
        labels=dict(given["labels"]),
        webhook_url=given["webhook"],
        priority=given["priority"],
    )


def _submit_each(client: Client, options: JobOptions, given: dict[str, Any]) -> list[str]:
    """Submit the videos; whatever happens, the job of each that was submitted is told."""
    untold: list[RemoteJob] = []
    job_ids = []
    try:
        for video in given["videos"]:
            with DownloadBar(quiet=given["quiet"], what="uploading") as bar:
                job = client.submit(video, options=options, on_upload=bar)
            job_ids.append(job.id)
            if not given["wait_for_end"]:
                print_job(job, as_json=given["as_json"])
            elif given["quiet"]:
                untold.append(job)
            else:
                print_job(job, as_json=False, err=True)
    except (SightlineError, KeyboardInterrupt):
        for job in untold:
            print_job(job, as_json=given["as_json"])
        raise
    return job_ids


def _wait(ctx: click.Context, client: Client, job_ids: list[str], given: dict[str, Any]) -> None:
    """Wait for jobs, one after the other, and end with the worst exit status of them."""

    def wait_for(job_id: str) -> Exit:
        job = client.wait(job_id) if given["quiet"] else _follow(client, job_id)
        if not given["as_json"]:
            warn_of(job)
        print_job(job, as_json=given["as_json"])
        return exit_of(job)

    ctx.exit(each_job(job_ids, wait_for))


def _follow(client: Client, job_id: str) -> RemoteJob:
    """Show the progress of a job on standard error: in place on a terminal, else as lines."""
    terminal = sys.stderr.isatty()
    shown_at = 0.0
    try:
        for job in client.events(job_id):
            if job.terminal:
                break
            if terminal:
                click.echo(f"\r\x1b[K{describe(job)}", err=True, nl=False)
            elif time.monotonic() > shown_at + _LINE_EVERY_S:
                shown_at = time.monotonic()
                click.echo(describe(job), err=True)
    finally:
        if terminal:
            click.echo("\r\x1b[K", err=True, nl=False)
    return job
