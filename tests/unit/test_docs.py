"""The docs name what exists, and what exists is in the docs."""

import dataclasses
import re
from pathlib import Path

import click
import pytest

import sightline
from sightline.cli.app import app
from sightline.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))


def test_every_promise_links_tests_that_exist():
    text = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    links = re.findall(r"`(tests/\S+?\.py)::(\w+)`", text)
    assert len(links) > 15
    for path, name in links:
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), f"{path}::{name}"
    promises = re.split(r"\n- \*\*", text)[1:]
    assert all("::test_" in promise for promise in promises)


def test_every_public_name_is_in_the_reference():
    text = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    errors = {n for n in sightline.__all__ if n.endswith("Error")}  # all of sightline.errors
    apart = {"UNTRACKED", "Image", "__version__"}
    for name in set(sightline.__all__) - errors - apart:
        assert f"sightline.{name}\n" in text, f"{name} is not in docs/reference/api.md"


def test_every_setting_is_in_the_reference():
    text = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    for field in dataclasses.fields(Settings):
        assert f"`{field.name}`" in text


def commands(group, path=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize(("path", "command"), list(commands(app)))
def test_every_command_and_option_has_a_help_text(path, command):
    assert command.help
    assert command.name == path[-1]
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{' '.join(path)} {parameter.opts}"


def test_relative_links_between_pages_lead_somewhere():
    for page in [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md"]:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"
