"""The command line. It reads the environment and the terminal; nothing below it does."""

from sightline.cli.app import main

__all__ = ["main"]
