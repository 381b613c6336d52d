"""The command line of the hop benchmark."""

import pytest
from click.testing import CliRunner

from sightline.cli.bench import command


@pytest.mark.parametrize("sizes", ["640", "640x480,", "0x480", "640X480", ""])
def test_sizes_that_are_none_are_refused_with_an_example(sizes):
    result = CliRunner().invoke(command, ["hop", "--sizes", sizes])
    assert result.exit_code == 2
    assert "such as 640x480,1920x1080" in " ".join(result.output.split())


def test_a_python_that_is_not_there_is_refused_before_anything_is_measured():
    result = CliRunner().invoke(command, ["hop", "--openfilter-python", "/nowhere/python"])
    assert result.exit_code == 2
    assert "/nowhere/python" in result.output
