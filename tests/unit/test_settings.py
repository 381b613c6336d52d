import os
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
            "SIGHTLINE_RUNTIME_DIR": "/run/cameras",
            "SIGHTLINE_DATA_DIR": "/srv/sightline",
            "SIGHTLINE_ARTIFACTS_URL": "s3://videos/jobs",
            "SIGHTLINE_SERVER_URL": "https://jobs.example",
            "SIGHTLINE_SERVER_KEY": "sl_secret",
            "SIGHTLINE_STATEMENT_TIMEOUT_S": "2.5",
        }
    )

    assert settings == Settings(
        cache_dir=Path("/data/models"),
        offline=True,
        model_base_url="https://mirror.example/models",
        runtime_dir=Path("/run/cameras"),
        data_dir=Path("/srv/sightline"),
        artifacts_url="s3://videos/jobs",
        server_url="https://jobs.example",
        server_key="sl_secret",
        statement_timeout_s=2.5,
    )


def test_running_graphs_keep_their_sockets_where_the_system_keeps_those_of_the_user():
    environ = {"XDG_RUNTIME_DIR": "/run/user/7"}

    assert Settings.from_environment(environ).runtime_dir == Path("/run/user/7/sightline")
    assert Settings().runtime_dir == Path(f"/tmp/sightline-{os.getuid()}")


def test_a_relative_runtime_folder_is_meant_from_here():
    settings = Settings.from_environment({"SIGHTLINE_RUNTIME_DIR": "runs"})

    assert settings.runtime_dir == Path.cwd() / "runs"


def test_empty_variables_count_as_not_set():
    names = (
        "SIGHTLINE_CACHE_DIR",
        "SIGHTLINE_OFFLINE",
        "SIGHTLINE_MODEL_BASE_URL",
        "SIGHTLINE_RUNTIME_DIR",
        "XDG_RUNTIME_DIR",
        "SIGHTLINE_STATEMENT_TIMEOUT_S",
    )

    assert Settings.from_environment(dict.fromkeys(names, "")) == Settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SIGHTLINE_OFFLINE", "maybe"),
        ("SIGHTLINE_MODEL_BASE_URL", "mirror.example"),
        ("SIGHTLINE_STATEMENT_TIMEOUT_S", "soon"),
        ("SIGHTLINE_STATEMENT_TIMEOUT_S", "-1"),
        ("SIGHTLINE_STATEMENT_TIMEOUT_S", "nan"),
    ],
)
def test_a_value_that_makes_no_sense_is_an_error_that_names_the_variable(variable, value):
    with pytest.raises(SightlineError, match=f"{variable}.*{value}"):
        Settings.from_environment({variable: value})
