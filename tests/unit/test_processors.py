"""How many cores a process counts."""

from __future__ import annotations

import pytest

from sightline.processors import limit_cores, usable_cores


@pytest.fixture(autouse=True)
def _unlimited():
    yield
    limit_cores(None)


def test_a_limit_holds_for_the_process_until_it_is_lifted():
    all_cores = usable_cores()
    limit_cores(1)
    assert usable_cores() == 1
    limit_cores(None)
    assert usable_cores() == all_cores


def test_a_limit_adds_no_cores():
    all_cores = usable_cores()
    limit_cores(10_000)
    assert usable_cores() == all_cores


def test_no_core_at_all_is_refused():
    with pytest.raises(ValueError, match="at least 1 core"):
        limit_cores(0)
