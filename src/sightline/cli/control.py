"""`sightline ps`, `stats`, `add`, `remove`, `replace`, `change`, `stop`: graphs that run."""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.cli.outputs import free_name
from sightline.cli.parameters import name_and_value, rate_or_native
from sightline.cli.table import columns
from sightline.errors import GraphError, LinkError
from sightline.graph.report import HOPS
from sightline.graph.runs import ControlClient, RunInfo, SilentRun, find_run, look_for_runs
from sightline.media.naming import is_address, safe_name, url_name
from sightline.pipeline.stream_spec import StreamSpec
from sightline.settings import Settings
from sightline.transport.run_directory import default_base

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["add", "change", "ps", "remove", "replace", "stats", "stop"]

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_OPEN_S = 10.0
_POLL_S = 0.1
_WATCH_EVERY_S = 1.0


def _pace_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say how a source is read."""
    for option in (
        click.option(
            "--restart",
            type=click.Choice(["never", "on-failure", "always"]),
            help="When to open it again.  [on-failure if live, else never]",
        ),
        click.option(
            "--rate",
            type=rate_or_native,
            metavar="N|native",
            help="Read a recording at this many frames/s, or at its own.  [as fast as possible]",
        ),
    ):
        command = option(command)
    return command


@click.command("ps")
@_JSON
def ps(*, as_json: bool) -> None:
    """List the graphs that run."""
    found = [told for run in look_for_runs(_base()) if (told := _told_of(run)) is not None]
    if as_json:
        click.echo(json.dumps(found))
        return
    rows = [("run", "pid", "uptime", "streams", "frames/s", "handlers", "stages")]
    click.echo(columns([*rows, *map(_ps_row, found)]))


@click.command("stats")
@click.argument("run", required=False)
@_JSON
@click.option("--watch", is_flag=True, help="Print again every second, until Ctrl-C.")
def stats(*, run: str | None, as_json: bool, watch: bool) -> None:
    """Show what becomes of the frames of RUN, and how long they take."""
    with _connected(run) as client:
        while True:
            account = client.stats()
            if watch and not as_json:
                click.clear()
            click.echo(json.dumps(account) if as_json else _table(account))
            if not watch or account["over"]:
                return
            time.sleep(_WATCH_EVERY_S)


@click.command("add")
@click.argument("run_and_source", nargs=-1, metavar="[RUN] SOURCE")
@click.option("--name", help="Name of the stream.  [from the source, with a number if taken]")
@click.option(
    "--mode",
    type=click.Choice(["every-frame", "auto", "freshest"]),
    help="What happens to frames that come too fast.  [auto if live, else every-frame]",
)
@click.option(
    "--staleness",
    "staleness_s",
    type=float,
    default=0.5,
    show_default=True,
    help="Seconds, at most a day, after which mode auto drops a frame.",
)
@_pace_options
def add(*, run_and_source: tuple[str, ...], name: str | None, **settings: Any) -> None:
    """Add SOURCE to RUN, while its other streams go on."""
    run, (source,) = _split(run_and_source, "SOURCE")
    with _connected(run) as client:
        if not name:
            account = client.stats()
            name = free_name(_default_name(source), {*account["streams"], *account["under_way"]})
        added = client.add(StreamSpec(source, name=name, **settings))
        is_open = _wait_until_open(client, added)
    click.echo(f"added {added}" if is_open else f"added {added}, which is not open yet")


@click.command("remove")
@click.argument("run_and_stream", nargs=-1, metavar="[RUN] STREAM")
def remove(*, run_and_stream: tuple[str, ...]) -> None:
    """End a stream of RUN; its outputs are complete."""
    run, (stream,) = _split(run_and_stream, "STREAM")
    with _connected(run) as client:
        client.remove(stream)
    click.echo(f"removed {stream}")


@click.command("replace")
@click.argument("run_stream_and_source", nargs=-1, metavar="[RUN] STREAM SOURCE")
@_pace_options
def replace(*, run_stream_and_source: tuple[str, ...], **settings: Any) -> None:
    """Take the frames of a stream of RUN from SOURCE, as soon as that is open.

    The stream keeps its name, its outputs, and what it does under overload. If SOURCE cannot be
    opened, the stream goes on as it was.
    """
    run, (stream, source) = _split(run_stream_and_source, "STREAM SOURCE")
    with _connected(run) as client:
        client.replace(stream, StreamSpec(source, **settings))
        is_open = _wait_until_replaced(client, stream)
    if is_open:
        click.echo(f"replaced the source of {stream}")
    else:
        click.echo(f"the source of {stream} stays until the new one is open")


@click.command("change")
@click.argument("run_stage_and_values", nargs=-1, metavar="[RUN] STAGE NAME=VALUE...")
def change(*, run_stage_and_values: tuple[str, ...]) -> None:
    """Change parameters of a stage of RUN, from the next frames on."""
    values = [text for text in run_stage_and_values if "=" in text]
    run, (stage,) = _split([t for t in run_stage_and_values if "=" not in t], "STAGE")
    if not values:
        raise click.UsageError("Say what to change: NAME=VALUE.")
    with _connected(run) as client:
        client.change(stage, **dict(map(name_and_value, values)))
    click.echo(f"changed {stage}")


@click.command("stop")
@click.argument("run", required=False)
def stop(*, run: str | None) -> None:
    """Stop RUN: finish the frames at hand and complete the outputs."""
    with _connected(run) as client:
        client.stop()
        click.echo(f"stopped {client.run_id}")


def _base() -> Path:
    return default_base(Settings.from_environment(os.environ))


@contextmanager
def _connected(run: str | None) -> Iterator[ControlClient]:
    """Connect to the run that is meant; if none is named, to the only one."""
    with ControlClient(find_run(_base(), run).run_id, _base()) as client:
        yield client


def _split(words: Sequence[str], needed: str) -> tuple[str | None, Sequence[str]]:
    """Take the run, if it is named, off the words that are needed."""
    count = len(needed.split())
    if len(words) not in (count, count + 1):
        raise click.UsageError(f"Give {needed}, or RUN {needed}.")
    return (None, words) if len(words) == count else (words[0], words[1:])


def _default_name(source: str) -> str:
    """Name a stream after its source, before that is open."""
    if source.isdecimal():
        return f"camera-{source}"
    if "://" in source:
        return url_name(source)
    return safe_name(source if is_address(source) else Path(source).stem)


def _wait_until_replaced(client: ControlClient, stream: str) -> bool:
    """Wait for a stream to change over to another source; False if that takes long."""
    until_s = time.monotonic() + _OPEN_S
    while time.monotonic() < until_s:
        replacement = client.stats()["replacing"].get(stream)
        if replacement is None:
            return True
        if replacement["error"] is not None:
            raise GraphError(f"the source of stream {stream!r} stays: {_reason(replacement)}")
        time.sleep(_POLL_S)
    return False


def _reason(replacement: dict[str, str]) -> str:
    """Say why a source could not be opened, which one it was, and that but once.

    >>> _reason({"place": "a.mp4", "error": "cannot open a.mp4: No such file or directory"})
    'cannot open a.mp4: No such file or directory'
    >>> _reason({"place": "a.mp4", "error": "its process died"})
    'a.mp4 cannot be opened: its process died'
    """
    place, error = replacement["place"], replacement["error"]
    return error if error.startswith("cannot open ") else f"{place} cannot be opened: {error}"


def _wait_until_open(client: ControlClient, stream: str) -> bool:
    """Wait for a stream to begin; False if it takes long."""
    until_s = time.monotonic() + _OPEN_S
    while time.monotonic() < until_s:
        account = client.stats()
        if stream in account["unopened"]:
            raise GraphError(f"stream {stream!r} is given up: {account['unopened'][stream]}")
        if stream in account["streams"]:
            error = account["streams"][stream]["error"]
            if error is not None:
                raise GraphError(f"stream {stream!r} is given up: {error}")
            return True
        time.sleep(_POLL_S)
    return False


def _told_of(run: RunInfo | SilentRun) -> dict[str, Any] | None:
    """Ask a run what it does, and tell it as JSON values; None: it has just ended."""
    account: dict[str, Any] = {}
    if isinstance(run, RunInfo):
        try:
            with ControlClient(run.run_id, _base()) as client:
                account = client.stats()
        except LinkError:
            return None
        except GraphError:
            run = SilentRun(run_id=run.run_id, pid=run.pid)
    if isinstance(run, SilentRun):
        return {"run_id": run.run_id, "pid": run.pid, "answers": False}
    return {
        "run_id": run.run_id,
        "pid": run.pid,
        "answers": True,
        "started": run.started,
        "uptime_s": round(time.time() - run.started, 1),
        "stages": list(run.stages),
        "streams": list(account["under_way"]),
        "rate": account["rate"],
        "frames": account["frames"],
        "handlers": account["handlers"],
    }


def _ps_row(run: dict[str, Any]) -> tuple[str, ...]:
    if not run["answers"]:
        return (run["run_id"], str(run["pid"] or ""), "does not answer", "", "", "", "")
    return (
        run["run_id"],
        str(run["pid"]),
        _duration(run["uptime_s"]),
        " ".join(run["streams"]) or "none",
        f"{run['rate']:.1f}",
        str(run["handlers"]),
        " ".join(run["stages"]),
    )


def _table(account: dict[str, Any]) -> str:
    head = ("stream", "frames", "frames/s", "under way", "queued", "dropped", "failed", "restarts")
    rows: list[tuple[str, ...]] = [head]
    for name, stream in account["streams"].items():
        rows.append(
            (
                _shown_name(name, account),
                str(stream["frames"]),
                f"{stream['rate']:.1f}",
                f"{account['under_way'].get(name, 0)}/{account['window'].get(name, 0)}",
                str(account["queued"].get(name, 0)),
                str(sum(drop["frames"] for drop in stream["drops"])),
                str(sum(stream["failures"].values())),
                str(stream["restarts"]),
            )
        )
    return (
        f"{account['phase']} for {_duration(account['wall_s'])}, {account['handlers']} handlers, "
        f"{account['handler_restarts']} replaced, {account['rate']:.1f} frames/s\n"
        f"{columns(rows)}\n\n"
        f"p50/p95/p99 in ms since the start\n{columns(_hops(account))}"
    )


def _hops(account: dict[str, Any]) -> list[tuple[str, ...]]:
    """Tell of every stream how long its frames are on each part of their way."""
    rows: list[tuple[str, ...]] = [("stream", *HOPS)]
    for name, stream in account["streams"].items():
        delays = [stream["latency"].get(hop) for hop in HOPS]
        rows.append((_shown_name(name, account), *map(_percentiles, delays)))
    return rows


def _percentiles(delay: dict[str, float] | None) -> str:
    """Write the percentiles of a delay in little room.

    >>> _percentiles({"p50_ms": 0.42, "p95_ms": 9.96, "p99_ms": 31.7}), _percentiles(None)
    ('0.4/10/32', '-')
    """
    if delay is None:
        return "-"
    values = (delay[key] for key in ("p50_ms", "p95_ms", "p99_ms"))
    return "/".join(f"{ms:.1f}" if ms < 9.95 else f"{ms:.0f}" for ms in values)


def _shown_name(stream: str, account: dict[str, Any]) -> str:
    return stream if stream in account["under_way"] else f"{stream} (over)"


def _duration(seconds: float) -> str:
    """Write a duration for people.

    >>> _duration(7.4), _duration(3725)
    ('7 s', '1:02:05')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
