"""`sightline worker`: do the tasks of a job service, on this machine or any other."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from sightline.cli.parameters import byte_count, listen_address, name_and_value
from sightline.cli.places import PLACES, broker_of, place_options
from sightline.cli.service_extra import make_folder, open_database, settings_with
from sightline.cli.work_options import (
    addresses_of,
    fetch_default,
    find_stages_beside,
    limits_of,
    work_options,
)
from sightline.processors import usable_cores

if TYPE_CHECKING:
    from sightline.broker.options import BrokerOptions
    from sightline.broker.worker import CeleryWorkerOptions
    from sightline.jobs.crew_size import CrewSize
    from sightline.jobs.states import Queue
    from sightline.settings import Settings

__all__ = ["command"]

_QUEUES = ("ingest", "detect", "finalize", "interactive")


def _autoscale(text: str) -> tuple[int, int]:
    """Read `MAX,MIN`, in the order of Celery.

    >>> _autoscale("8,2")
    (8, 2)
    """
    match = re.fullmatch(r"(\d+),(\d+)", text)
    if match is None or not 1 <= int(match[2]) <= int(match[1]):
        raise click.BadParameter(f"{text!r} is not MAX,MIN with MAX not less than MIN.")
    return int(match[1]), int(match[2])


def _queue_names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in _QUEUES:
            raise click.BadParameter(f"there is no queue {name!r}; choose {', '.join(_QUEUES)}.")
    return names


@click.command("worker")
@place_options
@click.option(
    "-c",
    "--concurrency",
    type=click.IntRange(1),
    metavar="N",
    help="Processes, each doing one task at a time. [one per core]",
)
@click.option(
    "--autoscale",
    type=_autoscale,
    metavar="MAX,MIN",
    help="As many processes as there is work for, within these bounds.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    metavar="N",
    help="Threads of a process, for one frame. [cores divided by processes]",
)
@click.option(
    "-Q",
    "--queues",
    type=_queue_names,
    default=",".join(_QUEUES),
    show_default=True,
    metavar="NAME,…",
    help="Kinds of work to do.",
)
@click.option(
    "--drain-s",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    metavar="S",
    help="After SIGTERM, finish tasks that end within this time, and give back others.",
)
@click.option(
    "--fan-out",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    metavar="N",
    help="Divide videos so that so many processes can share one.",
)
@click.option(
    "--health",
    type=listen_address,
    metavar="[HOST:]PORT",
    help="Answer GET /livez and /readyz here.",
)
@click.option(
    "--max-memory",
    "memory_bytes",
    type=byte_count,
    default="8G",
    show_default=True,
    metavar="SIZE",
    help="Memory that a process may write to; a task that needs more fails.",
)
@click.option("-E", "--events", is_flag=True, help="Send Celery's events, which Flower shows.")
@click.option(
    "--set",
    "extra",
    type=name_and_value,
    multiple=True,
    metavar="NAME=VALUE",
    help="Setting of Celery by its name; repeatable. Dead and dangerous ones are refused.",
)
@click.option("--check", is_flag=True, help="Check the settings and end.")
@work_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Do the tasks of a job service that was started with `--broker`.

    Prints one line when it takes tasks. SIGTERM and Ctrl-C drain it: tasks that end soon are
    finished, others given back unharmed, and the exit status is 0.
    """
    settings = settings_with(**{name: given.pop(name) for name in PLACES})
    broker = broker_of(settings, extra=dict(given["extra"]))
    if broker is None:
        raise click.UsageError("say where the broker is: --broker URL, or SIGHTLINE_BROKER_URL.")
    size = _size(given)
    if given["check"]:
        _check(broker, size)
        return
    make_folder(settings.data_dir)
    find_stages_beside(dict(given["pipelines"]).values())
    fetch_default(given["detectors"], settings)
    ctx.exit(_run(settings, broker, size, given))


def _size(given: dict[str, Any]) -> CrewSize:
    from sightline.jobs.crew_size import CrewSize

    if given["autoscale"] and given["concurrency"]:
        raise click.UsageError("give either --concurrency or --autoscale.")
    if given["autoscale"]:
        most, least = given["autoscale"]
        return CrewSize(least=least, most=most)
    number = given["concurrency"] or usable_cores()
    return CrewSize(least=number, most=number)


def _check(broker: BrokerOptions, size: CrewSize) -> None:
    from sightline.broker.lint import WorkerShape, check_settings
    from sightline.broker.settings import celery_settings

    shape = WorkerShape(autoscales=size.least < size.most)
    check_settings(celery_settings(broker), options=broker, worker=shape)
    click.echo("The settings are good.")


def _run(settings: Settings, broker: BrokerOptions, size: CrewSize, given: dict[str, Any]) -> int:
    from sightline.broker.worker import run_worker
    from sightline.jobs.states import Queue

    queues = tuple(Queue(name) for name in given["queues"])
    _check_artifacts(settings)
    with open_database(settings) as database:
        options = _options(settings, broker, size, given, queues=queues)
        return run_worker(
            options,
            database,
            on_ready=lambda port: click.echo(_started(broker, size, queues, port)),
        )


def _check_artifacts(settings: Settings) -> None:
    """Find out now whether the store of the files can be used, not at the first task."""
    from sightline.jobs.remote_artifacts import open_artifacts

    artifacts = open_artifacts(settings.artifacts_url, settings.data_dir.absolute())
    try:
        artifacts.check()
    finally:
        artifacts.close()


def _options(
    settings: Settings,
    broker: BrokerOptions,
    size: CrewSize,
    given: dict[str, Any],
    *,
    queues: tuple[Queue, ...],
) -> CeleryWorkerOptions:
    from sightline.broker.worker import CeleryWorkerOptions
    from sightline.jobs.chunking import ChunkSizes
    from sightline.jobs.sql.database import database_url
    from sightline.jobs.store import LeasePolicy
    from sightline.jobs.workplace import WorkOptions, open_workplace
    from sightline.service.by_name import Submissions
    from sightline.service.offers import make_offers

    offers = make_offers(given["detectors"], dict(given["pipelines"]), settings)
    policy = LeasePolicy()
    work = WorkOptions(
        policy=policy,
        limits=limits_of(given),
        addresses=addresses_of(given),
        sizes=ChunkSizes(workers=max(given["fan_out"], size.most)),
        artifacts_url=settings.artifacts_url,
        cache_bytes=given["cache_bytes"],
    )
    host, port = given["health"] or ("127.0.0.1", None)
    return CeleryWorkerOptions(
        broker=broker,
        queues=queues,
        processes=size,
        open_workplace=partial(
            open_workplace,
            database_url(settings.database_url, settings.data_dir),
            settings.data_dir.absolute(),
            options=work,
        ),
        submit=Submissions(offers),
        policy=policy,
        warm=offers.default.define({}, ()).definition,
        copies=settings.data_dir.absolute() if settings.artifacts_url else None,
        drain_s=given["drain_s"],
        health_host=host,
        health_port=port,
        threads=given["threads"],
        memory_bytes=given["memory_bytes"],
        events=given["events"],
    )


def _started(
    broker: BrokerOptions, size: CrewSize, queues: tuple[Queue, ...], port: int | None
) -> str:
    number = f"{size.least}" if size.least == size.most else f"{size.least} to {size.most}"
    health = "" if port is None else f"; health on port {port}"
    return (
        f"Sightline works on {', '.join(queues)} with {number} "
        f"process{'' if size.most == 1 else 'es'} for {broker.shown_url}{health}."
    )
