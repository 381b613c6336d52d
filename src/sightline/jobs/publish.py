"""How the folder of a final pass becomes the results of its job: all at once, or not at all.

    final.TOKEN/  ──exchange──►  results/        the old results, if any, are then removed

A crash at any moment leaves either the old results or the new ones. Only on file systems that
cannot exchange two folders there is a moment without any; the pass that was about to be noted as
done is then done again.
"""

from __future__ import annotations

import ctypes
import os
import shutil
from typing import TYPE_CHECKING

from sightline.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.jobs.files import JobFiles

__all__ = ["drop", "prepare", "publish"]

_CURRENT_FOLDER = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE


def prepare(files: JobFiles, token: str) -> None:
    """Make an empty folder for a final pass, and remove those of all others.

    The lease of whoever wrote them is gone. If it should still be writing, it fails now, and not
    after it has replaced newer results.
    """
    for folder in files.folder.glob("final.*"):
        shutil.rmtree(folder, ignore_errors=True)
    files.final(token).mkdir(parents=True)


def drop(files: JobFiles, token: str) -> None:
    """Remove the folder of a final pass; the results stay those that they were."""
    shutil.rmtree(files.final(token), ignore_errors=True)


def publish(files: JobFiles, token: str) -> None:
    """Make what lies in the folder of a final pass the results of the job.

    Raises:
        OutputError: It cannot be made safe from a power cut, or moved; older results stay.
    """
    folder, results = files.final(token), files.results
    try:
        for path in folder.iterdir():
            _sync(path)
        _sync(folder)
        if not results.exists():
            folder.rename(results)
        elif not _exchange(folder, results):
            aside = folder.with_name(f"{folder.name}.old")
            results.rename(aside)
            folder.rename(results)
            shutil.rmtree(aside, ignore_errors=True)
        _sync(files.folder)
    except OSError as error:
        raise OutputError(f"cannot publish {folder}: {error.strerror}") from error
    shutil.rmtree(folder, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places; False if the system cannot."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    paths = [_CURRENT_FOLDER, os.fsencode(one), _CURRENT_FOLDER, os.fsencode(other)]
    return bool(rename(*paths, _EXCHANGE) == 0)
