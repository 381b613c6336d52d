"""`sightline serve`: run a job service."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from sightline.cli.exits import Exit
from sightline.cli.parameters import byte_count, worker_range
from sightline.cli.places import PLACES, broker_of, place_options
from sightline.cli.service_extra import make_folder, needs_service_extra, settings_with
from sightline.cli.work_options import (
    addresses_of,
    fetch_default,
    find_stages_beside,
    limits_of,
    work_options,
)
from sightline.processors import usable_cores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.service.options import ServeOptions
    from sightline.settings import Settings

__all__ = ["command"]

_DAY_S = 86400.0


@click.command("serve")
@work_options
@place_options
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Name or address to listen on; beyond this machine keys are needed, see `keys`.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port to listen on; 0: a free one.",
)
@click.option(
    "--workers",
    type=worker_range,
    metavar="N|MIN,MAX",
    help="Processes that detect: so many, or as many as there is work for. "
    "[one per core; with a broker none: see `worker`]",
)
@click.option(
    "--keep",
    "keep_days",
    type=click.FloatRange(0, min_open=True),
    metavar="DAYS",
    help="Remove videos and results so long after the end of their job. [30; see --keep-forever]",
)
@click.option("--keep-forever", is_flag=True, help="Never remove them.")
@click.option(
    "--keep-free",
    "free_bytes",
    type=byte_count,
    default="1G",
    show_default=True,
    metavar="SIZE",
    help="Take no jobs when the disk has less room than this.",
)
@click.option(
    "--max-jobs",
    "queued_jobs",
    type=click.IntRange(1),
    default=100_000,
    show_default=True,
    metavar="N",
    help="Jobs that may be unfinished at a time.",
)
@click.option(
    "--name",
    "names",
    metavar="HOST",
    multiple=True,
    help="Name by which a proxy on this machine passes requests on, besides localhost; repeatable.",
)
@click.option(
    "--base-url",
    metavar="URL",
    default="",
    help="Where clients find the service, for links in webhooks.",
)
@click.option(
    "--trust-proxy",
    "trusted_proxies",
    metavar="ADDRESS",
    multiple=True,
    help="Proxy whose X-Forwarded-For and -Proto are believed; repeatable.",
)
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Serve jobs: the HTTP interface, the web page, and the workers, all in one.

    Prints one line when it answers. Ctrl-C and SIGTERM end it within seconds, with exit status
    130: chunks under way are done again when it is started the next time, and no job is lost.
    """
    settings = settings_with(**{name: given.pop(name) for name in PLACES})
    with needs_service_extra():
        from sightline.service.server import serve

    options = _options(settings, given)
    make_folder(options.data_dir)
    find_stages_beside(options.pipelines.values())
    with _ended_by_signals():
        fetch_default(options.detectors, options.settings)
        serve(options, on_ready=lambda address: click.echo(_started(address, options)))
    ctx.exit(Exit.INTERRUPTED)


def _options(settings: Settings, given: dict[str, Any]) -> ServeOptions:
    from sightline.jobs.crew_size import CrewSize
    from sightline.jobs.store import LeasePolicy
    from sightline.service.options import ServeOptions

    workers = given["workers"]
    same = ("host", "port", "detectors", "queued_jobs", "free_bytes", "cache_bytes")
    return ServeOptions(
        data_dir=settings.data_dir,
        settings=settings,
        broker=broker_of(settings),
        artifacts=settings.artifacts_url,
        workers=CrewSize(least=workers[0], most=workers[1]) if workers else None,
        pipelines=dict(given["pipelines"]),
        addresses=addresses_of(given),
        limits=limits_of(given),
        policy=LeasePolicy(keep_s=_keep_s(given)),
        names=frozenset(name.lower() for name in given["names"]),
        base_url=given["base_url"].rstrip("/"),
        trusted_proxies=given["trusted_proxies"],
        **{name: given[name] for name in same},
    )


def _keep_s(given: dict[str, Any]) -> float | None:
    if given["keep_forever"]:
        if given["keep_days"] is not None:
            raise click.UsageError("give either --keep or --keep-forever.")
        return None
    days = 30 if given["keep_days"] is None else given["keep_days"]
    return float(days * _DAY_S)


def _started(address: str, options: ServeOptions) -> str:
    return (
        f"Sightline serves {address} with {_workers(options)}; "
        f"data in {options.data_dir.absolute()}."
    )


def _workers(options: ServeOptions) -> str:
    if options.broker is not None:
        return f"the workers at {options.broker.shown_url}"
    size = options.workers
    least, most = (size.least, size.most) if size else (usable_cores(),) * 2
    number = f"{most} worker{'' if most == 1 else 's'}"
    return number if least == most else f"{least} to {number}"


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, everything closed, without a word."""
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, previous)
