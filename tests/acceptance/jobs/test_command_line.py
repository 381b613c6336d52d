"""`sightline serve` and the commands that talk to it, as users type them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys

import pytest
from tests.acceptance.jobs.test_killed_service import descendants
from tests.graph_witness import is_dead
from tests.job_service import until, write_video
from tests.lengths import variants
from tests.serve_process import ServeProcess, VideoSite


@pytest.fixture(scope="module")
def site(street):
    with VideoSite(street[0]) as site:
        yield site


@pytest.fixture(scope="module")
def served(tmp_path_factory, site):
    folder = tmp_path_factory.mktemp("served") / "data"
    with ServeProcess(folder, "--workers", "1,2", "--allow-network", site.at) as process:
        yield process


@pytest.fixture
def run(sightline, served):
    """Run a command that talks to the service; returns the finished process."""

    def run(command, *arguments, **options):
        return sightline(command, "--server", served.url, *arguments, **options)

    return run


def first_word(done):
    return done.stdout.split()[0]


def refused(*arguments, **environment):
    """Run `sightline ARGUMENTS`, which must be refused with one line; return it."""
    command = [sys.executable, "-W", "error", "-m", "sightline", *map(str, arguments)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **environment},
    )
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_file_is_submitted_waited_for_and_downloaded(run, street, tmp_path):
    video, mot = street
    submitted = run("submit", video, "--label", "my-site=007", "-f", "mot", "-f", "tracks")
    assert submitted.returncode == 0, submitted.stderr
    assert "queued      street.mp4" in submitted.stdout
    job_id = first_word(submitted)

    waited = run("wait", job_id)
    assert waited.returncode == 0
    assert waited.stdout == f"{job_id}  succeeded   street.mp4\n"

    done = run("download", job_id, "--output", tmp_path / "results")
    assert done.returncode == 0, done.stderr
    names = [line.rpartition("/")[2] for line in done.stdout.splitlines()]
    assert sorted(names) == ["mot.txt", "summary.json", "tracks.json"]
    assert (tmp_path / "results" / "mot.txt").read_bytes() == mot

    listed = run("jobs", "--label", "my-site=007", "--json")
    assert [json.loads(line)["id"] for line in listed.stdout.splitlines()] == [job_id]
    assert json.loads(listed.stdout)["labels"] == {"my-site": "007"}


def test_an_address_is_submitted_and_waited_for_in_one(run, site):
    done = run("submit", site.url(), "--wait", "--json", "--classes", "person", "--end", "0.5")
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)
    assert (job["status"], job["source"]["url"]) == ("succeeded", site.url())
    assert job["params"]["classes"] == ["person"]
    assert job["range"] == {"start_s": 0.0, "end_s": 0.5}
    assert job["id"] in done.stderr, "the id is told before the end, too"


def test_the_exit_status_tells_of_a_failure(run, site):
    done = run("submit", site.url("missing.mp4"), site.url(), "--wait", "--quiet")
    failed, succeeded = done.stdout.splitlines()
    assert done.returncode == 1
    assert "failed      missing.mp4" in failed
    assert "succeeded   street.mp4" in succeeded
    assert done.stderr == ""


def test_the_exit_status_tells_of_frames_that_could_not_be_decoded(run, tmp_path):
    video = write_video(tmp_path / "cut.mkv")
    os.truncate(video, video.stat().st_size * 2 // 3)
    done = run("submit", video, "--wait", "--quiet", "-f", "mot")
    assert done.returncode == 3, (done.stdout, done.stderr)
    warnings = done.stderr.splitlines()
    assert warnings
    assert all(line.startswith("Warning: cut.mkv: ") for line in warnings)
    assert re.search(r"succeeded   cut\.mkv  \(\d+ warnings?\)$", done.stdout.rstrip())

    as_json = run("wait", first_word(done), "--json", "--quiet")
    assert (as_json.returncode, as_json.stderr) == (3, "")
    assert len(json.loads(as_json.stdout)["warnings"]) == len(warnings)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["http:///x.mp4"], "/source_url: must be an http:// or https:// address"),
        (["http://x/y.mp4", "--start", 50, "--end", 10], "end_s must be greater than start_s"),
        (["http://x/y.mp4", "--param", "foo=1"], "/params/foo: there is no parameter 'foo'"),
    ],
)
def test_why_a_submission_is_refused_is_told_once_and_in_words(run, arguments, said):
    done = run("submit", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.count(said) == 1
    assert "pattern" not in done.stderr


def test_a_running_job_is_canceled_retried_and_deleted(run, site):
    job_id = first_word(run("submit", site.url("held.mp4")))
    until(lambda: job_id in run("jobs", "--status", "running").stdout)
    early = run("download", job_id)
    assert (early.returncode, early.stdout) == (2, "")
    assert f"no results yet, it is running; wait for its end with: sightline wait {job_id}" in (
        early.stderr
    )
    assert run("cancel", job_id).returncode == 0
    waited = run("wait", job_id, "--quiet")
    assert waited.returncode == 130
    assert waited.stdout.startswith(f"{job_id}  canceled")
    never = run("download", job_id)
    assert (never.returncode, never.stdout) == (2, "")
    assert "ended without results; its state is canceled" in never.stderr

    assert "queued" in run("retry", job_id).stdout
    refusal = run("delete", job_id)
    assert refusal.returncode == 2
    assert "state of the job" in refusal.stderr
    assert run("cancel", job_id).returncode == 0
    run("wait", job_id, "--quiet")
    assert run("delete", job_id).returncode == 0
    gone = run("wait", job_id)
    assert (gone.returncode, "No such job" in gone.stderr) == (2, True)


def test_a_format_that_the_job_has_not_is_refused(run, street, tmp_path):
    job_id = first_word(run("submit", street[0], "--wait", "--quiet", "-f", "mot"))
    done = run("download", job_id, "-f", "csv", "--output", tmp_path)
    assert done.returncode == 2
    assert "has no csv; it has mot, summary" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_service_that_is_not_there_is_an_error_at_once(sightline):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = sightline("jobs", "--server", f"http://127.0.0.1:{port}")
    assert done.returncode == 2
    assert "cannot be reached" in done.stderr


@pytest.mark.parametrize("number", variants(signal.SIGTERM, signal.SIGINT))
def test_a_signal_ends_the_service_and_all_that_it_started(tmp_path, site, sightline, number):
    with ServeProcess(tmp_path / "data", "--allow-network", site.at) as process:
        at = ("--server", process.url)
        sightline("submit", *at, site.url("held.mp4"))
        until(lambda: "running" in sightline("jobs", *at).stdout)
        below = descendants(process.pid)
        assert process.end(number) == (130, "")
        assert [pid for pid in below if not is_dead(pid)] == []


def test_a_job_under_way_outlives_the_service(tmp_path, street, sightline):
    with (
        VideoSite(street[0]) as site,
        ServeProcess(tmp_path / "data", "--allow-network", site.at) as process,
    ):
        at = ("--server", process.url)
        job_id = first_word(sightline("submit", *at, site.url("held.mp4"), "-f", "mot"))
        until(lambda: job_id in sightline("jobs", *at, "--status", "running").stdout)
        process.kill()
        site.release()
        process.start()
        done = sightline("wait", *at, job_id, "--quiet")
        assert done.returncode == 0, done.stdout
        sightline("download", *at, job_id, "-f", "mot", "-o", tmp_path)
        assert (tmp_path / "mot.txt").read_bytes() == street[1]


def test_a_pipeline_file_with_stages_of_ones_own_is_offered(tmp_path, street, sightline):
    (tmp_path / "marking.py").write_text(
        "import dataclasses\n"
        "from sightline import Stage\n"
        "class Mark(Stage):\n"
        "    def process(self, frame):\n"
        "        return dataclasses.replace(frame, data={'mark': 1})\n"
    )
    pipeline = tmp_path / "mark.yaml"
    pipeline.write_text("stages: [detect: {detector: demo}, marking:Mark, track]")
    with ServeProcess(tmp_path / "data", "--pipeline", f"mark={pipeline}") as process:
        at = ("--server", process.url)
        submitted = sightline("submit", *at, street[0], "--pipeline", "mark", "--wait", "-f", "mot")
        assert submitted.returncode == 0, submitted.stdout
        sightline("download", *at, first_word(submitted), "-f", "mot", "-o", tmp_path)
        assert (tmp_path / "mot.txt").read_bytes() == street[1]


def test_a_service_with_keys_lets_nobody_in_without_one(tmp_path, street, sightline):
    data = tmp_path / "data"
    made = sightline("keys", "create", "alice", "--data", data)
    reader = sightline("keys", "create", "bob", "--scope", "jobs:read", "--data", data)
    assert (data.stat().st_mode & 0o077) == 0
    for name, content in (("alice", made.stdout), ("bob", reader.stdout), ("eve", "sl_wrong")):
        (tmp_path / name).write_text(content)
    with ServeProcess(data) as process:

        def submit(*key):
            return sightline("submit", "--server", process.url, *key, street[0], "-f", "mot")

        def key_of(name):
            return "--key-file", tmp_path / name

        for key, reason in (
            ((), "needs a key"),
            (key_of("eve"), "unknown"),
            (key_of("bob"), "scope"),
        ):
            done = submit(*key)
            assert (done.returncode, done.stdout) == (2, "")
            assert reason in done.stderr
            hint = "with --key-file, or in the environment's SIGHTLINE_SERVER_KEY"
            assert (hint in done.stderr) == (reason != "scope")
            assert "Bearer" not in done.stderr
        job_id = first_word(submit(*key_of("alice")))
        at = ("--server", process.url)
        assert sightline("wait", *at, *key_of("alice"), job_id).returncode == 0
        assert sightline("jobs", *at, *key_of("bob")).stdout == "", "everybody sees their own jobs"

        listed = sightline("keys", "list", "--json", "--data", data).stdout.splitlines()
        ids = {key["name"]: key["id"] for key in map(json.loads, listed)}
        assert sightline("keys", "revoke", ids["alice"], "--data", data).returncode == 0
        until(lambda: sightline("jobs", *at, *key_of("alice")).returncode == 2)
        assert sightline("keys", "list", "--data", data).stdout.count("alice") == 1


def test_a_key_that_there_is_not_cannot_be_revoked(tmp_path):
    assert "no key 'k1'" in refused("keys", "revoke", "k1", "--data", tmp_path)


def test_a_port_in_use_is_refused(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        said = refused("serve", "--detector", "demo", "--port", port, "--data", tmp_path)
    assert f"port {port}: Address already in use" in said


def test_a_folder_in_use_is_refused(served):
    said = refused("serve", "--detector", "demo", "--port", 0, "--data", served.folder)
    assert f"is in use by another service (process {served.pid})" in said


def test_others_are_not_served_without_keys(tmp_path):
    said = refused("serve", "--detector", "demo", "--host", "0.0.0.0", "--data", tmp_path)
    assert "sightline keys create" in said


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--detector=nix"], "there is no detector 'nix'"),
        (["--detector=mine=nix.onnx"], "not NAME=FILE.onnx with a file that exists"),
        (["--detector=demo", "--pipeline=mine=nix.yaml"], "cannot read the pipeline file nix.yaml"),
    ],
)
def test_what_clients_cannot_choose_is_refused(tmp_path, options, reason):
    assert reason in refused("serve", *options, "--port", 0, "--data", tmp_path)


def test_a_default_detector_that_cannot_be_had_is_refused(tmp_path):
    said = refused(
        "serve",
        "--data",
        tmp_path / "data",
        SIGHTLINE_CACHE_DIR=str(tmp_path / "cache"),
        SIGHTLINE_OFFLINE="1",
    )
    assert "'yolox-s'" in said
    assert "--detector motion" in said


@pytest.mark.parametrize("command", ["serve", "keys list"])
def test_the_missing_extra_is_named(command):
    program = (
        "import sys\nsys.modules['sqlalchemy'] = None\nfrom sightline.cli.app import main\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *command.split()],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 2
    assert "pip install 'sightline[service]'" in done.stderr
