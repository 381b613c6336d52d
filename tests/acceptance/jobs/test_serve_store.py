"""`sightline serve --artifacts`, as it is started, with an S3 server."""

import os
import subprocess
import sys
from contextlib import closing

import pytest
from tests.s3_server import S3Server
from tests.serve_process import ServeProcess


@pytest.fixture(scope="module")
def s3():
    with closing(S3Server()) as server:
        yield server


def refused(folder, url, **environment):
    """Start a service that must refuse with one line; return it."""
    options = ["--detector", "demo", "--port", "0", "--data", str(folder), "--artifacts", url]
    done = subprocess.run(
        [sys.executable, "-m", "sightline", "serve", *options],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **environment},
    )
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_workers_of_a_service_take_videos_from_a_bucket_and_put_results_there(
    s3, street, tmp_path, monkeypatch
):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    bucket = s3.bucket()
    video, mot = street
    options = ["--workers", "1", "--artifacts", f"s3://{bucket}/jobs"]

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "sightline", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )

    with ServeProcess(tmp_path / "data", *options) as served:
        at = ("--server", served.url)
        said = run("submit", *at, video, "--wait", "-f", "mot").stdout
        job_id = said.split()[0]
        run("download", *at, job_id, "--output", tmp_path / "found")
        assert (tmp_path / "found" / "mot.txt").read_bytes() == mot
        kept = {key.split("/")[1] for key in s3.keys(bucket)}
        assert kept == {"jobs", "uploads"}
        run("delete", *at, job_id)
        assert s3.keys(bucket) == []
        status, errors = served.end()
        assert status == 130
        assert s3.environment["AWS_SECRET_ACCESS_KEY"] not in errors


def test_a_store_that_cannot_be_used_is_refused_at_the_start(s3, tmp_path):
    said = refused(tmp_path, "s3://there-is-no-such-bucket/jobs", **s3.environment)
    assert said.startswith("Error: cannot use s3://there-is-no-such-bucket/jobs")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("bucket/jobs", "files are kept at a URL such as s3://bucket/prefix, not 'bucket/jobs'"),
        ("s3://key:secret@bucket/jobs", "AWS_*"),
        ("nix://host/jobs", "no kind of store is called 'nix'"),
    ],
)
def test_a_url_that_makes_no_sense_is_refused_at_the_start(tmp_path, url, reason):
    said = refused(tmp_path, "", SIGHTLINE_ARTIFACTS_URL=url)
    assert reason in said
    assert "secret" not in said


def test_the_missing_extra_is_named(tmp_path):
    program = (
        "import sys\nsys.modules['fsspec'] = None\nfrom sightline.cli.app import main\nmain()\n"
    )
    options = ["serve", "--detector", "demo", "--data", tmp_path, "--artifacts", "s3://bucket/jobs"]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, options)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "Error: Keeping files at s3://bucket/jobs needs an optional dependency: "
        "pip install 'sightline[s3]'\n"
    )
