"""A real Prometheus, with our configuration, asks a real service with the key made for it."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tests.deployment import DEPLOY, PROMETHEUS, ROOT, documents, panels, program, run
from tests.graph_witness import until
from tests.serve_process import PATIENCE_S, ServeProcess

INTERVAL = "$__rate_interval"


@pytest.fixture
def service(tmp_path):
    """A service that asks for keys, and the file of the first one."""
    data, key = tmp_path / "data", tmp_path / "key"
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "SIGHTLINE_DATA_DIR": str(data),
        "PYTHONPATH": str(ROOT / "src"),
    }
    made = run(DEPLOY / "image" / "ensure-key", key, "prometheus", "--scope", "admin", env=environ)
    assert made.returncode == 0, made.stderr
    with ServeProcess(data, "--workers", "1") as process:
        yield process.url, key


@pytest.fixture
def prometheus(service, missing, tmp_path):
    """A client of a Prometheus that scrapes the service every second."""
    url, key = service
    text = (PROMETHEUS / "prometheus.yml").read_text()
    (credentials,) = {s["authorization"]["credentials_file"] for s in scrapes(text)}
    text = text.replace(credentials, str(key)).replace("api:8080", url.removeprefix("http://"))
    (tmp_path / "prometheus.yml").write_text(text.replace("10s", "1s"))
    (tmp_path / "alerts.yml").write_text((PROMETHEUS / "alerts.yml").read_text())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        program("prometheus", missing),
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client
        process.terminate()
        process.wait(PATIENCE_S)


def scrapes(text):
    return documents(text)[0]["scrape_configs"]


def ask(client, query):
    """Give the samples of a query; None while Prometheus does not answer yet."""
    try:
        answer = client.get("/api/v1/query", params={"query": query})
    except httpx.TransportError:
        return None
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return None
    assert answer.status_code == httpx.codes.OK, answer.text
    return answer.json()["data"]["result"]


def silent(client):
    """Name the panels with a query that finds nothing, for scrapes every second."""
    return [
        panel["title"]
        for panel in panels()
        for target in panel["targets"]
        if not ask(client, re.sub(r":\d+s\]", ":1s]", target["expr"].replace(INTERVAL, "1m")))
    ]


def test_the_dashboard_shows_what_a_service_tells(prometheus):
    until(lambda: ask(prometheus, 'up{job="sightline"} == 1'), timeout_s=PATIENCE_S)
    until(lambda: not silent(prometheus), timeout_s=PATIENCE_S)
