"""The summary of a run as a file."""

import json
from pathlib import Path

import pytest

from sightline.errors import OutputError
from sightline.pipeline.summary import write_summary


def test_a_summary_is_written_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "new"
    write_summary(folder, {"a": 1})
    assert json.loads((folder / "summary.json").read_text()) == {"a": 1}
    assert [path.name for path in folder.iterdir()] == ["summary.json"]
    with pytest.raises(OutputError, match="cannot write /dev/null/x"):
        write_summary(Path("/dev/null/x"), {})
