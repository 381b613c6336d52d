"""How the commands of a job service show a job, and tell of a key that is missing."""

import pytest
from tests.unit.client.remote_job import job_document

from sightline.cli.job_connection import connect, describe, warn_of
from sightline.client.answers import parse_job
from sightline.errors import ServiceError

NOWHERE = {"server": "http://127.0.0.1:9", "key_file": None}


def job(**changes):
    return parse_job(job_document(**changes))


@pytest.mark.parametrize(("position", "said"), [(1, "1 job before it"), (2, "2 jobs before it")])
def test_jobs_before_one_are_counted(position, said):
    assert describe(job(progress={"queue_position": position})).endswith(f"  {said}")


@pytest.mark.parametrize(
    ("warnings", "said"), [([], ""), (["a"], "  (1 warning)"), (["a", "b"], "  (2 warnings)")]
)
def test_the_line_of_a_job_says_how_many_warnings_there_are(warnings, said):
    ended = job(status="succeeded", terminal=True, warnings=warnings)
    assert describe(ended) == f"succeeded   street.mp4{said}"


def test_each_warning_is_a_line_on_standard_error(capsys):
    warn_of(job(warnings=["the file is truncated", "2 packets are damaged"]))
    assert capsys.readouterr() == (
        "",
        "Warning: street.mp4: the file is truncated\nWarning: street.mp4: 2 packets are damaged\n",
    )


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (None, "the service at http://127.0.0.1:9 needs a key: give it with --key-file, "),
        ("sl_old", "the key is unknown; give another one with --key-file, "),
    ],
)
def test_who_has_no_valid_key_is_told_where_to_give_one(monkeypatch, key, said):
    monkeypatch.delenv("SIGHTLINE_SERVER_KEY", raising=False)
    if key:
        monkeypatch.setenv("SIGHTLINE_SERVER_KEY", key)
    with pytest.raises(ServiceError, match="SIGHTLINE_SERVER_KEY") as caught, connect(NOWHERE):
        raise ServiceError("the key is unknown", status=401, code="unauthorized")
    assert str(caught.value).startswith(said)
    assert (caught.value.status, caught.value.code) == (401, "unauthorized")


def test_another_refusal_stays_as_the_service_put_it():
    refusal = ServiceError("there is no such job", status=404)
    with pytest.raises(ServiceError) as caught, connect(NOWHERE):
        raise refusal
    assert caught.value is refusal
