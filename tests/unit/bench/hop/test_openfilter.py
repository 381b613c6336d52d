"""What openfilter is set to, and what is said where it is missing."""

import sys
from pathlib import Path

import pytest

from sightline.bench.hop.load import HopLoad
from sightline.bench.hop.openfilter import (
    BEST,
    OTHER_SETTINGS,
    OpenFilterSettings,
    openfilter_version,
)
from sightline.errors import MissingExtraError

LOAD = HopLoad(width=8, height=6, frames=5)


def test_slots_are_as_large_as_an_image():
    assert BEST.environment(LOAD)["OPENFILTER_SHM_SLOT_SIZE"] == str(8 * 6 * 3)


def test_without_shared_memory_nothing_of_it_is_set():
    variables = OpenFilterSettings(slots=0).environment(LOAD)
    assert not [name for name in variables if "SHM" in name]


def test_images_are_never_compressed():
    for settings in (BEST, *OTHER_SETTINGS.values()):
        assert settings.config()["outputs_jpg"] is False


@pytest.mark.parametrize("python", [Path("/nowhere/python"), Path(sys.executable)])
def test_a_python_without_openfilter_is_refused_with_how_to_install_it(python):
    with pytest.raises(MissingExtraError, match=r"pip install -r requirements/bench-hop\.txt"):
        openfilter_version(python)


@pytest.mark.parametrize("slots", [-1, 1])
def test_a_number_of_slots_that_openfilter_does_not_take_is_refused(slots):
    with pytest.raises(ValueError, match="slots must be 0, or 2 or more"):
        OpenFilterSettings(slots=slots)
