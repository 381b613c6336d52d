"""The commands of `sightline bench` that measure recorded videos on many workers."""

from __future__ import annotations

import json
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sightline.bench.record import describe_machine
from sightline.bench.scaling.parameters import Costs, Files
from sightline.bench.scaling.table import checks_table, costs_table, predictions_table, report
from sightline.cli.bench_output import JSON, ROUNDS, show, show_machine
from sightline.cli.parameters import name_and_value
from sightline.cli.service_extra import needs_service_extra
from sightline.processors import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from sightline.bench.job_sites import CelerySite
    from sightline.bench.scaling.check import Checked

__all__ = ["celery", "jobs", "scaling"]

_Command = TypeVar("_Command", bound="Callable[..., Any]")

_BROKER = click.option(
    "--broker",
    metavar="URL",
    help="Broker of the workers, which nobody else uses. [a redis-server of its own]",
)
_DATABASE = click.option(
    "--database",
    metavar="URL",
    help="Database of the workers, which nobody else uses. [SQLite in a temporary folder]",
)


def _place_options(command: _Command) -> _Command:
    return _BROKER(_DATABASE(command))


@click.command()
@click.argument("video_file", metavar="VIDEO", type=click.Path(exists=True, path_type=Path))
@click.argument("model", metavar="YOLOX.onnx", type=click.Path(exists=True, path_type=Path))
@click.option("--workers", type=click.IntRange(1), help="Workers that share it. [one per core]")
@click.option(
    "--executor",
    type=click.Choice(["local", "celery"]),
    default="local",
    show_default=True,
    help="Whose workers: those inside `sightline serve`, or `sightline worker` with a broker.",
)
@_place_options
@ROUNDS
@JSON
def jobs(
    *, video_file: Path, model: Path, workers: int | None, as_json: bool, **given: Any
) -> None:
    """Compare a job on several workers with the plain loop on VIDEO."""
    from sightline.bench.jobs import LOOP, JobsBenchmark, job_side

    workers = workers or usable_cores()
    with _site(given) as site:
        results = JobsBenchmark(
            video=video_file, model=model, rounds=given["rounds"], workers=workers, site=site
        ).run()
    many, one = job_side(workers), job_side(1)
    pairs = [(side, LOOP) for side in dict.fromkeys([many, one])]
    if workers > 1:
        pairs.append((many, one))
    show(results.comparison, pairs, unit="frames/s", as_json=as_json)
    if not as_json:
        click.echo(f"submission to first frame: {results.first_frame_s} s")


def _site(given: dict[str, Any]) -> AbstractContextManager[Any]:
    """Say where jobs are done; None: inside a service."""
    if given["executor"] == "local":
        if given["broker"] or given["database"]:
            raise click.UsageError("--broker and --database need --executor celery.")
        return nullcontext(None)
    return _celery_site(given["broker"], given["database"])


@contextmanager
def _celery_site(broker: str | None, database: str | None) -> Iterator[CelerySite]:
    _need_celery()
    from sightline.bench.job_sites import CelerySite
    from sightline.bench.redis_server import broker_or_own

    with broker_or_own(broker) as url:
        yield CelerySite(broker=url, database=database)


def _need_celery() -> None:
    with needs_service_extra("A broker", "celery"):
        import celery  # noqa: F401 - it is there


@click.command()
@_place_options
@click.option(
    "--chunks",
    type=click.IntRange(1),
    default=400,
    show_default=True,
    help="Chunks that are done in a round.",
)
@click.option(
    "--queued",
    type=click.IntRange(0),
    default=10_000,
    show_default=True,
    help="Chunks that are queued at once in the end; 0: none.",
)
@ROUNDS
@JSON
def celery(*, as_json: bool, **given: Any) -> None:
    """Measure what Celery adds to a chunk of 0.2 s of video that nothing is done with."""
    _need_celery()
    from sightline.bench.overhead import OverheadBenchmark

    results = OverheadBenchmark(**given).run()
    if as_json:
        click.echo(json.dumps({"machine": describe_machine(), **results.report()}))
        return
    show_machine(describe_machine(), given["rounds"])
    click.echo(results.table())


@click.command()
@click.argument(
    "files",
    metavar="[VIDEO YOLOX.onnx]",
    nargs=-1,
    type=click.Path(exists=True, path_type=Path),
)
@click.option("--measure", is_flag=True, help="Measure the costs, and check the predictions.")
@_place_options
@click.option(
    "--machine",
    "workers_per_machine",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="Workers that share a machine; each has a core.",
)
@click.option(
    "--storage-gbit",
    type=click.FloatRange(0, min_open=True),
    default=10.0,
    show_default=True,
    help="Gigabits that the storage of files gives and takes in a second.",
)
@click.option(
    "--files",
    "how",
    type=click.Choice([way.value for way in Files]),
    default=Files.COPIED.value,
    show_default=True,
    help="Machines copy whole videos from a store such as S3, or share a folder.",
)
@click.option(
    "--transactions",
    "store_parallel",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Transactions that the database carries out at once; 1 for SQLite.",
)
@click.option(
    "--workers",
    multiple=True,
    type=click.IntRange(1),
    help="Number of workers to predict for; repeatable. [1, 10, 32, 100, 320, 1000]",
)
@click.option(
    "--cost",
    "changes",
    type=name_and_value,
    multiple=True,
    metavar="NAME=VALUE",
    help="A cost of the model by its name, in seconds or bytes, in place of the one that was "
    "measured; repeatable.",
)
@click.option(
    "--check-with",
    "waiting",
    multiple=True,
    type=click.IntRange(1),
    default=(1, 2, 8, 16, 32),
    show_default=True,
    help="With --measure: number of worker processes to check with; repeatable.",
)
@click.option(
    "--chunks",
    type=click.IntRange(1),
    default=400,
    show_default=True,
    help="With --measure: empty chunks that are done.",
)
@ROUNDS
@JSON
def scaling(*, files: tuple[Path, ...], measure: bool, as_json: bool, **given: Any) -> None:
    """Predict what 1 to 1,000 workers do, and which part of the service limits them first.

    Predictions are calculated, from costs that were measured on one machine: with --measure on
    this one, for VIDEO and the model, with real workers; otherwise for the documentation.
    """
    with needs_service_extra():
        from sightline.bench.scaling.published import PUBLISHED
        from sightline.bench.scaling.scenarios import WORKERS, Sizing, predict

    if measure != (len(files) == 2):
        raise click.UsageError("--measure needs a VIDEO and a YOLOX.onnx; without it give none.")
    sizing = Sizing(
        workers_per_machine=given["workers_per_machine"],
        store_parallel=given["store_parallel"],
        storage_bytes_per_s=given["storage_gbit"] * 1e9 / 8,
        files=Files(given["how"]),
    )
    costs, checked = _measure((files[0], files[1]), given) if measure else (PUBLISHED, [])
    costs = _changed(costs, given["changes"])
    found = predict(costs, sizing, given["workers"] or WORKERS)
    if as_json:
        click.echo(json.dumps({"machine": describe_machine(), **report(costs, found, checked)}))
        return
    if measure:
        show_machine(describe_machine(), given["rounds"])
    click.echo(f"\nCosts, {'measured' if measure else 'as published'}:\n\n{costs_table(costs)}")
    if checked:
        click.echo(f"\nPredicted and measured on this machine:\n\n{checks_table(checked)}")
    click.echo(f"\nCalculated:\n\n{predictions_table(found)}")


def _measure(files: tuple[Path, Path], given: dict[str, Any]) -> tuple[Costs, list[Checked]]:
    """Measure the costs of the model, and check it."""
    _need_celery()
    from sightline.bench.redis_server import broker_or_own
    from sightline.bench.scaling import measure
    from sightline.bench.scaling.check import check_detecting, check_waiting

    database = given["database"]
    with broker_or_own(given["broker"]) as broker:
        costs = measure.costs_of(
            measure.measure_transactions(database)["one job"],
            measure.measure_empty_chunks(broker, database, chunks=given["chunks"]),
            *measure.measure_video(*files),
        )
        checked = check_waiting(costs, broker, database, workers=given["waiting"])
        checked += check_detecting(costs, files, broker, database, rounds=given["rounds"])
    return costs, checked


def _changed(costs: Costs, changes: Sequence[tuple[str, Any]]) -> Costs:
    """Put other costs in the place of some."""
    for name, value in changes:
        if name not in Costs.__dataclass_fields__ or not isinstance(value, int | float):
            known = ", ".join(Costs.__dataclass_fields__)
            raise click.UsageError(f"--cost {name}={value}: costs are numbers, named {known}.")
    return replace(costs, **{name: float(value) for name, value in changes})
