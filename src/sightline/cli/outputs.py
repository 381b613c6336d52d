"""What the command line reads and writes besides the results themselves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from sightline.errors import OutputError
from sightline.pipeline.outputs import ALL_FORMATS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["split_formats", "write_json"]


def split_formats(text: str) -> tuple[str, ...]:
    """Split format names at the commas and check them; for `type=` of an option."""
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in ALL_FORMATS:
            raise click.BadParameter(f"{name!r} is none of {', '.join(ALL_FORMATS)}.")
    return names


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file whole or not at all.

    Raises:
        OutputError: The file cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
