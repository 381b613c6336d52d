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
    "bench": "Measure: every published number again.",
    "demo": "Generate a street scene, track it, and score the tracks.",
    "doctor": "Show what this machine can do.",
    "eval": "Score tracking results against ground truth.",
    "models": "List, download and inspect models.",
    "run": "Run a pipeline from a YAML file.",
    "track": "Detect and track the objects of videos.",
}


class _Commands(click.Group):
    """Imports a subcommand's module when it is called, so that every command starts quickly."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"sightline.cli.{cmd_name}")
        command: click.Command = module.command
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
