"""Format names of the command line."""

import click
import pytest

from sightline.cli.outputs import split_formats
from sightline.pipeline.outputs import ALL_FORMATS, DEFAULT_FORMATS, make_sinks


def test_formats_are_split_at_commas():
    assert split_formats("mot, video") == ("mot", "video")


@pytest.mark.parametrize("text", ["vhs", "mot,", ""])
def test_what_is_no_format_is_refused(text):
    with pytest.raises(click.BadParameter, match="is none of tracks, jsonl"):
        split_formats(text)


def test_every_format_has_a_sink_with_a_file_of_its_own(tmp_path):
    sinks = make_sinks([*ALL_FORMATS, "mot"], tmp_path, tracked=True)
    assert len({sink.path for sink in sinks}) == len(sinks) == len(ALL_FORMATS)
    assert {sink.path.parent for sink in sinks} == {tmp_path}
    assert set(ALL_FORMATS) - set(DEFAULT_FORMATS) == {"parquet"}


def test_without_a_tracker_tables_hold_what_is_on_no_track(tmp_path):
    for tracked, expected in ((True, "skip"), (False, "write")):
        sinks = make_sinks(["csv", "mot", "parquet"], tmp_path, tracked=tracked)
        assert {sink.untracked for sink in sinks} == {expected}
