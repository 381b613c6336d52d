"""The Dockerfile and the programs beside it; the image itself is not built here."""

import http.server
import os
import re
import stat
import sys
import threading
import tomllib
from pathlib import Path

import pytest
from tests.deployment import DEPLOY, ROOT, program, run

from sightline.detect.catalogue import CATALOGUE, DEFAULT_MODEL

DOCKERFILE = DEPLOY / "Dockerfile"
IMAGE = DEPLOY / "image"


def build_argument(name):
    return re.search(rf"^ARG {name}=(.*)$", DOCKERFILE.read_text(), re.MULTILINE)[1]


@pytest.fixture
def ensure_key(tmp_path):
    """Runs `ensure-key` with our `sightline` on a data folder of its own."""
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith("SIGHTLINE_")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "SIGHTLINE_DATA_DIR": str(tmp_path / "data"),
    }

    def call(*arguments):
        return run(IMAGE / "ensure-key", *arguments, env=environ)

    return call


def test_the_dockerfile_passes_a_linter(missing):
    done = run(program("hadolint", missing), DOCKERFILE)
    assert done.returncode == 0, done.stdout


def test_containers_do_not_run_as_root():
    stages = DOCKERFILE.read_text().split("\nFROM ")
    for stage in stages[2:4]:
        assert re.findall(r"^USER (.*)$", stage, re.MULTILINE)[-1] == "10001:10001"


def test_the_extras_of_the_image_are_there():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert set(build_argument("EXTRAS").split(",")) <= set(extras)


def test_the_image_holds_the_model_that_is_the_default():
    models = build_argument("MODELS").split()
    assert DEFAULT_MODEL in models
    assert set(models) <= set(CATALOGUE)


def test_what_the_dockerfile_copies_is_there_and_not_ignored():
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    kept = [line[1:].rstrip("/*.lock") for line in ignored if line.startswith("!")]
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    sources = [word for line in copied for word in line.split() if not word.startswith("--")]
    assert len(sources) > 5
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(source.startswith(name) for name in kept), source


def test_pip_reads_the_lock_file_without_its_hashes_as_constraints(tmp_path):
    (command,) = re.findall(r"sed (-e .*) requirements/dev.lock", DOCKERFILE.read_text())
    done = run("sh", "-c", f"sed {command} requirements/dev.lock", cwd=ROOT)
    lines = [line for line in done.stdout.splitlines() if line]
    assert len(lines) > 50
    for line in lines:
        assert re.fullmatch(r"[\w.-]+==\S+( ; .+)?", line), line


def test_a_key_is_made_once_and_is_for_owner_and_group(ensure_key, tmp_path):
    file = tmp_path / "key"
    first = ensure_key(file, "prometheus", "--scope", "admin")
    assert first.returncode == 0, first.stderr
    key = file.read_text()
    assert key.startswith("sl_")
    assert key not in first.stdout + first.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    again = ensure_key(file, "prometheus", "--scope", "admin")
    assert again.returncode == 0
    assert "already" in again.stderr
    assert file.read_text() == key
    assert [path.name for path in tmp_path.glob("key*")] == ["key"]


def test_a_key_that_cannot_be_made_leaves_no_file(ensure_key, tmp_path):
    failed = ensure_key(tmp_path / "key", "prometheus", "--scope", "nonsense")
    assert failed.returncode != 0
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize(("status", "expected"), [(200, 0), (503, 1)])
def test_health_is_what_the_program_says_of_itself(status, expected):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/livez"
        done = run(sys.executable, IMAGE / "check-health", env={"HEALTH_URL": url})
        server.shutdown()
        thread.join()
    assert done.returncode == expected
    assert expected == 0 or url in done.stderr


def test_health_is_bad_where_nothing_answers():
    environ = {"HEALTH_URL": "http://127.0.0.1:1/livez"}
    assert run(sys.executable, IMAGE / "check-health", env=environ).returncode == 1


def test_flower_has_the_settings_of_the_workers():
    environ = {**os.environ, "SIGHTLINE_BROKER_URL": "redis://:secret@redis.invalid:6379/0"}
    code = "from sightline.broker.entry import app; print(app.conf.broker_transport_options)"
    done = run(sys.executable, "-c", code, env=environ)
    assert "visibility_timeout" in done.stdout, done.stderr
