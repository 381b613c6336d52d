"""`sightline ps`, `stats` and the others: what they show of a run, and say where they cannot."""

import json
import os
import socket

import pytest
from click.testing import CliRunner

from sightline.cli.control import _table, change, ps, stats, stop
from sightline.errors import GraphError
from sightline.graph.control import SOCKET_NAME

RUN_ID = "0123456789ab"

AGE = {"count": 9, "p50_ms": 12.34, "p95_ms": 45.6, "p99_ms": 78.9}
PROCESS = {"count": 9, "p50_ms": 8.04, "p95_ms": 9.99, "p99_ms": 20.2}


def stream(**latency):
    return {
        "frames": 9,
        "rate": 30.0,
        "drops": [{"stage": "dispatch", "reason": "stale", "frames": 2}],
        "failures": {"detect": 1},
        "restarts": 3,
        "latency": latency,
    }


def account(**streams):
    return {
        "phase": "running",
        "wall_s": 61.0,
        "handlers": 4,
        "handler_restarts": 1,
        "rate": 30.0,
        "streams": streams,
        "under_way": {"north": 5},
        "window": {"north": 6},
        "queued": {"north": 2},
    }


def test_the_table_shows_every_hop_and_how_full_the_window_is():
    shown = _table(account(north=stream(process=PROCESS, age=AGE), south=stream())).splitlines()
    assert "4 handlers, 1 replaced" in shown[0]
    assert shown[2].split() == ["north", "9", "30.0", "5/6", "2", "2", "1", "3"]
    assert shown[5] == "p50/p95/p99 in ms since the start"
    hops = ["stream", "admit", "wait", "process", "return", "order", "finish", "age"]
    assert shown[6].split() == hops
    assert shown[7].split() == ["north", "-", "-", "8.0/10/20", "-", "-", "-", "12/46/79"]
    assert shown[8].split() == ["south", "(over)", *"-------"]


@pytest.fixture
def silent(tmp_path, monkeypatch):
    """Pretend that there is a run which lets clients in and says nothing."""
    monkeypatch.setenv("SIGHTLINE_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("sightline.graph.runs._CONNECT_S", 0.05)
    tmp_path.chmod(0o700)
    (tmp_path / RUN_ID).mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / RUN_ID / SOCKET_NAME))
        listener.listen()
        yield


@pytest.mark.usefixtures("silent")
def test_a_run_that_does_not_answer_is_listed_as_such():
    told = {"run_id": RUN_ID, "pid": os.getpid(), "answers": False}
    assert json.loads(CliRunner().invoke(ps, ["--json"]).output) == [told]
    row = CliRunner().invoke(ps).output.splitlines()[1]
    assert row.split() == [RUN_ID, str(os.getpid()), "does", "not", "answer"]


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize(
    ("command", "arguments"), [(stats, []), (stop, [RUN_ID[:4]]), (change, ["detect", "nms=1"])]
)
def test_of_a_run_that_does_not_answer_the_commands_say_so(command, arguments):
    done = CliRunner().invoke(command, arguments)
    assert isinstance(done.exception, GraphError)
    assert f"(process {os.getpid()}) does not answer" in str(done.exception)
