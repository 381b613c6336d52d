"""Fixtures that every kind of test may use."""

import os
from pathlib import Path

import hypothesis
import pytest

# No test may fail by timing alone; and what CI tries, it tries again.
hypothesis.settings.register_profile("project", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("project")


def _missing(what: str) -> None:
    """Skip on a laptop, fail in CI: what CI does not run, nobody runs."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is required in CI")
    pytest.skip(f"{what} is not here")


@pytest.fixture(scope="session")
def missing():
    """Call it with the name of what a test needs and does not find."""
    return _missing


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real models, videos and sequences beside the project."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SIGHTLINE_TEST_DATA", default))
    if not folder.is_dir():
        _missing(f"the test data folder {folder} (set SIGHTLINE_TEST_DATA)")
    return folder
