"""The `sightline` command: its subcommands, loaded on demand, and how errors are shown."""

from __future__ import annotations

import importlib
import logging
import sys

import click

from sightline.cli.exits import Exit, status_of
from sightline.errors import SightlineError
from sightline.version import __version__

__all__ = ["app", "main"]

_COMMANDS = {
    "add": "Add a stream to a graph that runs.",
    "bench": "Measure: every published number again.",
    "cancel": "Cancel jobs of a job service.",
    "change": "Change parameters of a stage of a graph that runs.",
    "delete": "Remove jobs of a job service, with their videos and results.",
    "demo": "Generate a street scene, track it, and score the tracks.",
    "doctor": "Show what this machine can do.",
    "download": "Download the results of a job.",
    "eval": "Score tracking results against ground truth.",
    "jobs": "List the jobs of a job service.",
    "keys": "Make, list and revoke the keys of a job service.",
    "models": "List, download and inspect models.",
    "ps": "List the graphs that run.",
    "remove": "End a stream of a graph that runs.",
    "replace": "Take the frames of a stream from another source.",
    "node": "Run one node of a graph over several machines.",
    "retry": "Queue failed or canceled jobs again.",
    "run": "Run a pipeline from a YAML file.",
    "serve": "Run a job service: its interface, its page, and its workers.",
    "stats": "Show what becomes of the frames of a graph that runs.",
    "stop": "Stop a graph that runs.",
    "submit": "Submit videos to a job service.",
    "track": "Detect and track the objects of videos.",
    "wait": "Wait for jobs of a job service.",
    "worker": "Do the tasks of a job service, on this machine or any other.",
}
_TOGETHER = {
    "sightline.cli.control": ("add", "change", "ps", "remove", "replace", "stats", "stop"),
    "sightline.cli.jobs": ("cancel", "delete", "download", "jobs", "retry", "submit", "wait"),
}
"""Modules that hold several commands; the others have a module each, named like them."""


class _Commands(click.Group):
    """Imports a subcommand's module when it is called, so that every command starts quickly."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        name = cmd_name
        place = next((place for place, held in _TOGETHER.items() if cmd_name in held), None)
        if place is None:
            place, name = f"sightline.cli.{cmd_name}", "command"
        command: click.Command = getattr(importlib.import_module(place), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sightline")
@click.option("-v", "--verbose", is_flag=True, help="Log what happens inside, to standard error.")
def app(*, verbose: bool) -> None:
    """Run computer-vision pipelines over video."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )


def main() -> None:
    """Run the command line; errors become one line and an exit status (see `Exit`)."""
    try:
        status = app.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        status = Exit.INTERRUPTED
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except SightlineError as error:
        click.echo(f"Error: {error}", err=True)
        status = status_of(error)
    except BrokenPipeError:
        sys.stderr.close()
        status = Exit.FAILED
    sys.exit(int(status or 0))
