"""`sightline bench`: the published numbers, measured again on this machine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from sightline.bench.graph import GraphBenchmark
from sightline.bench.hop import benchmark as hop_benchmark
from sightline.bench.hop.table import table as hop_table
from sightline.bench.record import describe_machine
from sightline.bench.track import TrackBenchmark, report, table
from sightline.bench.video import (
    INFERENCE_1,
    LOOP,
    LOOP_1,
    SIGHTLINE,
    SIGHTLINE_1,
    VideoBenchmark,
)
from sightline.cli import bench_jobs
from sightline.cli.bench_output import JSON, ROUNDS, show, show_machine

__all__ = ["command"]


def _read_sizes(
    _context: click.Context, _option: click.Parameter, text: str
) -> list[tuple[int, int]]:
    """Read a list of sizes, such as 640x480,1920x1080."""
    sizes = [re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", part) for part in text.split(",")]
    if None in sizes:
        raise click.BadParameter(f"{text!r} is no list of sizes such as 640x480,1920x1080")
    return [(int(size[1]), int(size[2])) for size in sizes if size]


@click.group("bench")
def command() -> None:
    """Measure: every published number again.

    All sides of a benchmark run in turn, in one run; quote the ratios.
    """


@command.command()
@click.argument("video_file", metavar="VIDEO", type=click.Path(exists=True, path_type=Path))
@click.argument("model", metavar="YOLOX.onnx", type=click.Path(exists=True, path_type=Path))
@ROUNDS
@JSON
def video(*, video_file: Path, model: Path, rounds: int, as_json: bool) -> None:
    """Compare `sightline track` with the plain loop on VIDEO."""
    comparison = VideoBenchmark(video=video_file, model=model, rounds=rounds).run()
    pairs = [(SIGHTLINE, LOOP), (SIGHTLINE_1, LOOP_1), (SIGHTLINE_1, INFERENCE_1)]
    show(comparison, pairs, unit="frames/s", as_json=as_json)


@command.command()
@click.argument(
    "sequences", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@ROUNDS
@JSON
def track(*, sequences: Path | None, rounds: int, as_json: bool) -> None:
    """Compare tracking alone with roboflow's trackers, on one core.

    SEQUENCES is a folder of MOT Challenge sequences, each a folder with a det.txt; besides these,
    crowds of 10 to 500 objects are generated.
    """
    results = TrackBenchmark(sequences=sequences, rounds=rounds).run()
    if as_json:
        click.echo(json.dumps(report(results)))
        return
    show_machine(describe_machine(), rounds)
    click.echo(table(results))


@command.command()
@ROUNDS
@JSON
def graph(*, rounds: int, as_json: bool) -> None:
    """Measure how the real-time graph scales, what its guarantees cost, and overload."""
    results = GraphBenchmark(rounds=rounds).run()
    if as_json:
        click.echo(json.dumps(results.report()))
        return
    show_machine(describe_machine(), rounds)
    click.echo(results.table())


@command.command()
@click.argument("video_file", metavar="VIDEO", type=click.Path(exists=True, path_type=Path))
@click.argument("model", metavar="MODEL.onnx", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--pollers", type=click.IntRange(0), default=200, show_default=True, help="Clients that poll."
)
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(0.01),
    help="Seconds from one question of a poller to its next. [as the service advises]",
)
@click.option(
    "--streams",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="Clients with an event stream.",
)
@ROUNDS
@JSON
def service(*, video_file: Path, model: Path, as_json: bool, **given: Any) -> None:
    """Measure what it costs jobs on VIDEO that many clients watch them."""
    from sightline.bench.service import ALONE, WATCHED, ServiceBenchmark

    results = ServiceBenchmark(video=video_file, model=model, **given).run()
    show(results.comparison, [(WATCHED, ALONE)], unit="frames/s", as_json=as_json)
    if not as_json:
        for percentile, spread in results.latency_ms.items():
            click.echo(f"GET /v1/jobs/ID while watched, p{percentile}: {spread} ms")
        click.echo(f"answers {results.answers_per_s}, events {results.events_per_s} per second")
        for side, cores in results.service_cores.items():
            click.echo(f"{side}: the service beside its workers takes {cores} of a core")
        click.echo(f"{WATCHED}: the clients take {results.client_cores} of a core")


@command.command()
@click.option(
    "--sizes",
    callback=_read_sizes,
    metavar="WxH,…",
    default="640x480,1920x1080,3840x2160",
    show_default=True,
    help="Sizes of the images, separated by commas.",
)
@ROUNDS
@click.option(
    "--openfilter-python",
    metavar="PYTHON",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Python of an environment that has openfilter; without it, openfilter takes no part.",
)
@click.option(
    "--other-settings",
    is_flag=True,
    help="Measure openfilter at settings that are not its best, too.",
)
@JSON
def hop(
    *,
    sizes: list[tuple[int, int]],
    rounds: int,
    openfilter_python: Path | None,
    other_settings: bool,
    as_json: bool,
) -> None:
    """Compare ways of handing images through three processes.

    A source hands over images, a handler converts them to grey levels, a sink takes the result.
    The sides are the usual way (PUSH/PULL over TCP, pickled images), openfilter, and a bare ring
    of slots in shared memory without any guarantee; each as fast as it goes, and at 30 frames/s.
    """
    benchmark = hop_benchmark.HopBenchmark(
        sizes=sizes,
        rounds=rounds,
        openfilter_python=openfilter_python,
        other_settings=other_settings,
    )
    opponent = benchmark.describe_openfilter()
    results = benchmark.run()
    if as_json:
        click.echo(json.dumps(hop_benchmark.report(benchmark, results)))
        return
    show_machine(describe_machine(), rounds)
    if opponent is not None:
        click.echo(
            "openfilter: " + ", ".join(f"{name} {value}" for name, value in opponent.items())
        )
    click.echo(hop_table(results))


for _measured in (bench_jobs.jobs, bench_jobs.celery, bench_jobs.scaling):
    command.add_command(_measured)
