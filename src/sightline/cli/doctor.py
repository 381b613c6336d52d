"""`sightline doctor`: what this machine can do, and what is missing for more."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import click

from sightline.cli.exits import Exit
from sightline.cli.places import broker_of
from sightline.pipeline.versions import versions
from sightline.processors import usable_cores
from sightline.settings import Settings

__all__ = ["command"]

_EXTRAS = {
    "celery": "celery",
    "eval": "trackeval",
    "parquet": "pyarrow",
    "postgres": "psycopg",
    "s3": "s3fs",
    "service": "fastapi",
    "supervision": "supervision",
    "web": "starlette",
}
_BROKER_S = 5.0
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where POSIX shared memory lives on Linux


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """One line of the report.

    Attributes:
        subject: What was looked at.
        answer: What was found.
        fatal: Sightline does not work like this.
    """

    subject: str
    answer: str
    fatal: bool = False


@click.command("doctor")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Show what this machine can do. Exits 1 if something essential is missing."""
    findings = [
        *(_Finding(subject=name, answer=version) for name, version in versions().items()),
        _Finding(subject="processors", answer=f"{usable_cores()} usable of {os.cpu_count()}"),
        _providers(),
        _encoder(),
        _decoders(),
        _cache(),
        _shared_memory(),
        *_extras(),
        *_broker(),
    ]
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        mark = "✗" if finding.fatal else " "
        click.echo(f"{mark} {finding.subject:<{width}}  {finding.answer}")
    ctx.exit(Exit.FAILED if any(finding.fatal for finding in findings) else Exit.OK)


def _providers() -> _Finding:
    import onnxruntime

    return _Finding(
        subject="inference providers", answer=", ".join(onnxruntime.get_available_providers())
    )


def _encoder() -> _Finding:
    import av

    present = "libx264" in av.codecs_available
    return _Finding(
        subject="H.264 encoder",
        answer="libx264" if present else "missing: no annotated.mp4 without it",
        fatal=not present,
    )


def _decoders() -> _Finding:
    import av

    wanted = ("h264", "hevc", "vp9", "av1", "mpeg4", "mjpeg")
    missing = [name for name in wanted if name not in av.codecs_available]
    answer = ", ".join(name for name in wanted if name not in missing)
    return _Finding(
        subject="video decoders",
        answer=answer + (f"; missing: {', '.join(missing)}" if missing else ""),
        fatal="h264" in missing,
    )


def _cache() -> _Finding:
    folder = Settings.from_environment(os.environ).cache_dir
    models = sorted(path.name for path in folder.rglob("*.onnx")) if folder.is_dir() else []
    return _Finding(
        subject="model cache", answer=f"{folder}: {', '.join(models) if models else 'empty'}"
    )


def _shared_memory() -> _Finding:
    if not _SHARED_MEMORY.is_dir():
        return _Finding(subject="shared memory", answer=f"no {_SHARED_MEMORY} on this system")
    free = shutil.disk_usage(_SHARED_MEMORY).free
    return _Finding(
        subject="shared memory", answer=f"{free / 2**20:.0f} MiB free in {_SHARED_MEMORY}"
    )


def _extras() -> list[_Finding]:
    return [
        _Finding(
            subject=f"extra {extra}",
            answer="installed" if find_spec(package) else f"pip install 'sightline[{extra}]'",
        )
        for extra, package in _EXTRAS.items()
    ]


def _broker() -> list[_Finding]:
    """Say whether the broker of the environment answers, if there is one."""
    broker = broker_of(Settings.from_environment(os.environ))
    if broker is None:
        return []
    from kombu.exceptions import OperationalError

    from sightline.broker.application import make_celery

    try:
        with make_celery(broker).connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=_BROKER_S)
    except (OSError, OperationalError) as error:
        return [_Finding(subject="broker", answer=f"{broker.shown_url} does not answer: {error}")]
    return [_Finding(subject="broker", answer=f"{broker.shown_url} answers")]
