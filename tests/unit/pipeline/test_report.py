"""What a report keeps of errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import StageError
from sightline.graph.telling import told_of
from sightline.pipeline.pipeline import Pipeline
from sightline.pipeline.report import FailedFrame, as_unicode
from sightline.pipeline.stage import Stage

LONG = "begin" + "x" * 5_000_000 + "end"


class Talkative(Stage):
    def process(self, frame):
        raise ValueError(LONG)


def test_of_a_very_long_error_the_report_and_the_message_keep_both_ends():
    with pytest.raises(StageError) as caught:
        Pipeline([Talkative()]).run("scene:street?frames=1")
    assert len(str(caught.value)) < 2_100
    for part in ("ValueError: beginxxx", "(cut; 5,000,020 characters in all)", "xxxend"):
        assert part in str(caught.value)


def test_a_traceback_may_be_longer_than_an_error():
    failed = FailedFrame(seq=0, stage="own", error=LONG, traceback=LONG)
    assert (len(failed.error), len(failed.traceback)) == (2_000, 20_000)
    assert failed.traceback.endswith("xxxend")


def test_what_was_cut_is_not_cut_again():
    once = FailedFrame(seq=0, stage="own", error=LONG, traceback=LONG)
    again = FailedFrame(seq=0, stage="own", error=once.error, traceback=once.traceback)
    assert again == once


def test_other_processes_are_told_of_a_very_long_error_in_short():
    assert len(told_of(ValueError(LONG)).message) == 2_000


@given(st.text(st.characters(), max_size=300), st.integers(60, 200))
def test_a_text_is_unicode_and_no_longer_than_it_may_be(text, most):
    told = as_unicode(text, most=most)
    assert len(told) <= most
    told.encode()
