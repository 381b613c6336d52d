"""`sightline node`: options that other commands have, too, are read alike."""

import click
import pytest

from sightline.cli.node import collector, source


@pytest.mark.parametrize(
    ("command", "words", "name", "value"),
    [
        (source, ["yard.mp4", "--window-bytes", "32M"], "window_bytes", 32 * 1024**2),
        (source, ["yard.mp4", "--window-bytes", "4096"], "window_bytes", 4096),
        (source, ["yard.mp4", "--rate", "12.5"], "rate", 12.5),
        (source, ["yard.mp4", "--rate", "native"], "rate", "native"),
        (collector, ["--web", "8080"], "web", ("127.0.0.1", 8080)),
        (collector, ["--web", "0.0.0.0:8080"], "web", ("0.0.0.0", 8080)),
    ],
)
def test_an_option_of_a_node_is_read_as_that_of_a_run(command, words, name, value):
    assert command.make_context(command.name, words).params[name] == value


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (source, ["yard.mp4", "--window-bytes", "0"]),
        (source, ["yard.mp4", "--rate", "slow"]),
        (collector, ["--web", "office"]),
    ],
)
def test_what_makes_no_sense_is_refused(command, words):
    with pytest.raises(click.BadParameter):
        command.make_context(command.name, words)
