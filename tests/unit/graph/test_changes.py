"""Changes of stages: what can be sent, and what is kept for those that come later."""

from pathlib import Path

import numpy as np
import pytest
from tests.graph_stages import Fussy

from sightline.errors import PipelineError
from sightline.graph.changes import Changes, make_change, took_change
from sightline.transport.messages import Change, decode, encode

NESTED = []
for _ in range(100_000):
    NESTED = [NESTED]


def test_plain_values_are_sent_as_they_are():
    parameters = {
        "confidence": 0.5,
        "classes": ["car"],
        "zones": {"a": [[0, 1], [2, 3]]},
        "x": None,
    }
    assert decode(encode(make_change("detect", parameters))) == Change("detect", parameters)


@pytest.mark.parametrize(
    "value",
    [np.zeros((2, 2)), np.float32(1), Path("a"), object(), 2**70, "\ud800", {"a": [{1j}]}, NESTED],
    ids=["array", "scalar", "path", "object", "large", "half a character", "deep", "deepest"],
)
def test_a_value_that_cannot_be_sent_is_refused_in_one_line_that_names_it(value):
    with pytest.raises(PipelineError, match="stage 'slow': the value of 'mask'") as caught:
        make_change("slow", {"size": 3, "mask": value})
    assert "\n" not in str(caught.value)


def test_what_is_changed_again_and_again_takes_no_more_memory():
    changes = Changes()
    for n in range(1_000):
        changes.note("detect", {"confidence": n})
        changes.note("track", {"age": n})
        changes.note("detect", {"size": -n})
    assert list(changes) == [
        ("detect", {"confidence": 999}),
        ("track", {"age": 999}),
        ("detect", {"size": -999}),
    ]


def test_what_several_handlers_refuse_again_and_again_leaves_what_all_have_taken():
    changes = Changes()
    changes.note("detect", {"confidence": 0.4})
    for value in (-1, -2, -3):
        changes.note("detect", {"confidence": value})
        for _ in range(4):
            changes.withdraw("detect", {"confidence": value})
    changes.note("detect", {"size": 0})
    changes.withdraw("detect", {"size": 0})
    assert list(changes) == [("detect", {"confidence": 0.4})]


def test_changes_are_repeated_as_they_were_made_so_that_a_bad_one_takes_no_other_with_it():
    changes = Changes()
    changes.note("valued", {"value": 1, "other": 2})
    changes.note("valued", {"value": 3})
    changes.note("valued", {"other": "refused"})
    stage = Fussy()
    with stage:
        took = [took_change(stage, name, values) for name, values in changes]
    assert took == [True, True, False]
    assert (stage.value, stage.other) == (3, 2)


def test_what_is_kept_does_not_change_with_what_was_given_out():
    changes = Changes()
    changes.note("detect", {"confidence": 1})
    ((_, given),) = changes
    given["confidence"] = 2
    assert list(changes) == [("detect", {"confidence": 1})]
