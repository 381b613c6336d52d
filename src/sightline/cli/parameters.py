"""Reading what a command line says: settings, addresses, numbers that may be words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import click
import yaml

__all__ = [
    "byte_count",
    "handlers_or_auto",
    "label_filter",
    "listen_address",
    "name_and_file",
    "name_and_text",
    "name_and_value",
    "rate_or_native",
    "worker_range",
]

_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[KMGT]?)")
_UNITS = {unit: 1024**power for power, unit in enumerate(("", "K", "M", "G", "T"))}
_LABEL = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)[=:](?P<value>.*)", re.DOTALL)
_LISTEN = re.compile(r"(?:(?P<host>[^:\s]+|\[[0-9a-fA-F:]+\]):)?(?P<port>\d{1,5})")


def name_and_value(text: str) -> tuple[str, Any]:
    """Split `name=value`; the value is read as YAML: a number, a word, a list in brackets."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r} is not of the form name=value.")
    try:
        return name.replace("-", "_"), yaml.safe_load(value)
    except yaml.YAMLError:
        return name.replace("-", "_"), value


def name_and_text(text: str) -> tuple[str, str]:
    """Split `name=value`; both are taken as they are."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r} is not of the form name=value.")
    return name, value


def label_filter(text: str) -> str:
    """Read `name=value` or `name:value`, and write it as the service wants it.

    >>> label_filter("site=north"), label_filter("at:10:30")
    ('site:north', 'at:10:30')
    """
    match = _LABEL.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"{text!r} is not of the form name=value.")
    return f"{match['name']}:{match['value']}"


def name_and_file(text: str) -> tuple[str, Path]:
    """Split `name=file`."""
    name, path = name_and_text(text)
    return name, Path(path)


def byte_count(text: str) -> int:
    """Read a number of bytes, with K, M, G or T for powers of 1024.

    >>> byte_count("20G"), byte_count("1.5K")
    (21474836480, 1536)
    """
    match = _SIZE.fullmatch(text)
    if match is None or not float(match["number"]):
        raise click.BadParameter(f"{text!r} is no number of bytes, such as 500M or 20G.")
    return int(float(match["number"]) * _UNITS[match["unit"]])


def listen_address(text: str) -> tuple[str, int]:
    """Read `PORT`, which means this machine alone, or `HOST:PORT`.

    >>> listen_address("8080"), listen_address("0.0.0.0:80")
    (('127.0.0.1', 8080), ('0.0.0.0', 80))
    """
    match = _LISTEN.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise click.BadParameter(f"{text!r} is no port and no HOST:PORT.")
    return (match["host"] or "127.0.0.1").strip("[]"), int(match["port"])


def handlers_or_auto(text: str) -> int | Literal["auto"]:
    """Read a number of processes, or `auto`."""
    if text == "auto":
        return "auto"
    if not text.isdecimal() or int(text) < 1:
        raise click.BadParameter(f"{text!r} is no number of processes from 1, nor auto.")
    return int(text)


def worker_range(text: str) -> tuple[int, int]:
    """Read `N`, or `MIN,MAX`: how many workers there are at least and at most.

    >>> worker_range("4"), worker_range("2,8")
    ((4, 4), (2, 8))
    """
    least, comma, most = text.partition(",")
    if not comma:
        most = least
    if not (least.isdecimal() and most.isdecimal() and 1 <= int(least) <= int(most)):
        raise click.BadParameter(f"{text!r} is no number of workers from 1, nor MIN,MAX.")
    return int(least), int(most)


def rate_or_native(text: str) -> float | Literal["native"]:
    """Read frames per second, or `native`."""
    if text == "native":
        return "native"
    try:
        return float(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no number of frames per second.") from error
