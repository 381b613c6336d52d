from pathlib import Path

import pytest

from sightline.errors import SightlineError
from sightline.settings import Settings


def test_without_variables_the_defaults_hold():
    settings = Settings.from_environment({})

    assert settings == Settings()
    assert settings.cache_dir.name == "sightline"
    assert not settings.offline
    assert settings.model_base_url is None


def test_variables_are_read():
    settings = Settings.from_environment(
        {
            "SIGHTLINE_CACHE_DIR": "/data/models",
            "SIGHTLINE_OFFLINE": "1",
            "SIGHTLINE_MODEL_BASE_URL": "https://mirror.example/models",
        }
    )

    assert settings == Settings(
        cache_dir=Path("/data/models"),
        offline=True,
        model_base_url="https://mirror.example/models",
    )


def test_empty_variables_count_as_not_set():
    names = ("SIGHTLINE_CACHE_DIR", "SIGHTLINE_OFFLINE", "SIGHTLINE_MODEL_BASE_URL")

    assert Settings.from_environment(dict.fromkeys(names, "")) == Settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("SIGHTLINE_OFFLINE", "maybe"), ("SIGHTLINE_MODEL_BASE_URL", "mirror.example")],
)
def test_a_value_that_makes_no_sense_is_an_error_that_names_the_variable(variable, value):
    with pytest.raises(SightlineError, match=f"{variable}.*{value}"):
        Settings.from_environment({variable: value})
