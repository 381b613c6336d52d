"""What the command line makes of names: of outputs, and of their formats."""

from __future__ import annotations

import click

from sightline.pipeline.outputs import ALL_FORMATS

__all__ = ["free_name", "split_formats"]


def free_name(stem: str, taken: set[str]) -> str:
    """Name a folder after a stream: `street`, and `street-2` for another one of that name.

    >>> taken = set()
    >>> free_name("street", taken), free_name("street", taken)
    ('street', 'street-2')
    """
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    return name


def split_formats(text: str) -> tuple[str, ...]:
    """Split format names at the commas and check them; for `type=` of an option."""
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in ALL_FORMATS:
            raise click.BadParameter(f"{name!r} is none of {', '.join(ALL_FORMATS)}.")
    return names
