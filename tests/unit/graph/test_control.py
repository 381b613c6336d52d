"""The control socket: what it answers to requests, to nonsense, and to clients that do not read."""

import json
import os
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline import StreamSpec
from sightline.errors import GraphError, PipelineError
from sightline.graph.control import _REQUESTS, SOCKET_NAME, ControlServer
from sightline.graph.runs import ControlClient, SilentRun, find_run, list_runs, look_for_runs
from sightline.testing.source import ListSource

RUN_ID = "0123456789ab"


class Run:
    """Notes what it is told to do."""

    def __init__(self):
        self.told = []
        self.ballast = ""
        self.over = False

    def info(self):
        return {"run_id": RUN_ID, "pid": 1, "started": 2.0, "stages": ["detect"]}

    def stats(self):
        return {"streams": {}, "ballast": self.ballast, "over": self.over}

    def add(self, source):
        self.told.append(("add", source))
        return source.name or "source 2"

    def remove(self, stream):
        if stream == "none":
            raise GraphError("there is no stream 'none'")
        self.told.append(("remove", stream))

    def replace(self, stream, source):
        self.told.append(("replace", stream, source))

    def change(self, stage, /, **parameters):
        if "bad" in parameters:
            raise PipelineError("bad is not changeable")
        if "odd" in parameters:
            raise KeyError("odd")
        if "slow" in parameters:
            raise TimeoutError
        self.told.append(("change", stage, parameters))

    def begin_stop(self):
        self.told.append(("stop",))


@pytest.fixture
def base(tmp_path):
    (tmp_path / RUN_ID).mkdir()
    return tmp_path


@pytest.fixture
def run():
    return Run()


@pytest.fixture
def server(run, base):
    server = ControlServer(run, base / RUN_ID / SOCKET_NAME)
    yield server
    server.close()


@pytest.fixture
def client(server, base):
    with ControlClient(RUN_ID, base, timeout_s=20) as client:
        yield client


@pytest.fixture
def connect(server, base):
    """Give a function that opens a bare connection."""
    opened = []

    def open_one():
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        opened.append(connection)
        connection.settimeout(20)
        connection.connect(str(base / RUN_ID / SOCKET_NAME))
        return connection

    yield open_one
    for connection in opened:
        connection.close()


def answer(connection):
    return json.loads(connection.makefile("rb").readline())


def test_a_client_steers_the_run(client, run):
    spec = StreamSpec("rtsp://cam-1/live", name="north", mode="freshest")
    assert client.add(spec) == "north"
    client.remove("south")
    client.replace("north", StreamSpec("/videos/yard.mp4", rate="native"))
    client.change("detect", confidence=0.4, classes=["car"])
    assert run.told == [
        ("add", spec),
        ("remove", "south"),
        ("replace", "north", StreamSpec("/videos/yard.mp4", rate="native")),
        ("change", "detect", {"confidence": 0.4, "classes": ["car"]}),
    ]


def test_a_relative_path_means_the_folder_of_the_client(client, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    client.add(StreamSpec("yard.mp4"))
    assert run.told == [("add", StreamSpec(str(tmp_path / "yard.mp4")))]


def test_errors_of_the_run_are_raised_in_the_client(client):
    with pytest.raises(GraphError, match="there is no stream 'none'"):
        client.remove("none")
    with pytest.raises(PipelineError, match="bad is not changeable"):
        client.change("detect", bad=1)
    with pytest.raises(GraphError, match="does not answer in time"):
        client.change("detect", slow=1)
    with pytest.raises(GraphError, match="KeyError"):
        client.change("detect", odd=1)
    assert client.info().run_id == RUN_ID


def test_a_source_that_is_an_object_cannot_be_sent(client):
    source = ListSource([np.zeros((4, 4, 3), np.uint8)])
    with pytest.raises(PipelineError, match="another process opens is named"):
        client.add(StreamSpec(source))


def test_a_large_account_arrives_whole(client, run):
    run.ballast = "x" * 5_000_000
    assert client.stats()["ballast"] == run.ballast


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b"[]",
        b"null",
        b"{}",
        b'{"do": "dance"}',
        b'{"do": ["stop"]}',
        b'{"do": "remove"}',
        b'{"do": "remove", "stream": 7}',
        b'{"do": "remove", "stream": "a", "more": 1}',
        b'{"do": "change", "stage": "a", "parameters": [1]}',
        b'{"do": "add", "source": {"path": "a.mp4", "speed": 1}}',
        b"\xff\xfe\x00",
        b"[" * 50_000,
        b"",
    ],
)
def test_nonsense_gets_an_error_and_the_connection_goes_on(connect, run, line):
    connection = connect()
    connection.sendall(line + b"\n")
    refused = answer(connection)
    assert refused["ok"] is False
    assert refused["error"] in ("ProtocolError", "PipelineError")
    assert refused["message"]
    connection.sendall(b'{"do": "info"}\n')
    assert answer(connection)["result"]["pid"] == 1
    assert run.told == []


@given(garbage=st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_whatever_bytes_come_the_server_answers_others(connect, client, garbage):
    connection = connect()
    connection.sendall(garbage)
    connection.close()
    assert client.info().pid == 1


def test_a_line_without_an_end_is_cut_off(connect, client):
    connection = connect()
    connection.sendall(b"x" * 200_000)
    refused = answer(connection)
    assert refused["error"] == "ProtocolError"
    assert "at most 65536 bytes" in refused["message"]
    assert client.info().pid == 1


def test_half_a_line_waits_for_its_other_half(connect, client):
    connection = connect()
    connection.sendall(b'{"do": "in')
    assert client.info().pid == 1
    connection.sendall(b'fo"}\n{"do": "info"}\n')
    lines = connection.makefile("rb")
    assert [json.loads(lines.readline())["ok"] for _ in range(2)] == [True, True]


def test_a_client_that_leaves_in_the_middle_is_forgotten(connect, client):
    connect().close()
    connection = connect()
    connection.sendall(b'{"do": "sta')
    connection.close()
    assert client.info().pid == 1


def test_a_client_that_does_not_read_keeps_nobody_waiting(connect, client, run):
    run.ballast = "x" * 1_000_000
    greedy = connect()
    greedy.sendall(b'{"do": "stats"}\n' * 200)
    for _ in range(20):
        assert client.info().pid == 1
    run.ballast = ""
    lines = greedy.makefile("rb")
    assert len([lines.readline() for _ in range(200)]) == 200


def test_a_crowd_of_silent_clients_keeps_nobody_out(connect, server, base):
    silent = [connect() for _ in range(40)]
    with ControlClient(RUN_ID, base, timeout_s=20) as client:
        assert client.info().pid == 1
    assert silent[0].recv(1) == b""


def test_a_silent_client_is_disconnected_after_a_while(connect, monkeypatch):
    connection = connect()
    connection.sendall(b'{"do": "info"}\n')
    answer(connection)
    monkeypatch.setattr("sightline.graph.control._IDLE_S", 0.0)
    assert connection.recv(1) == b""


def test_closing_disconnects_and_the_client_says_so(server, base, run):
    with ControlClient(RUN_ID, base) as client:
        client.info()
        server.close()
        with pytest.raises(GraphError, match="is over"):
            client.stats()
    with pytest.raises(GraphError, match="there is no run"):
        ControlClient(RUN_ID, base)
    server.close()


def stopping(client, run):
    """Let a client stop a run, in a thread."""
    thread = threading.Thread(target=client.stop)
    thread.start()
    while not run.told:
        assert thread.is_alive() or run.told
    return thread


@pytest.mark.parametrize("closes", [True, False], ids=["closed", "left open"])
def test_stop_returns_when_the_run_is_over(server, base, run, closes):
    with ControlClient(RUN_ID, base) as client:
        thread = stopping(client, run)
        if closes:
            server.close()
        else:
            run.over = True
        thread.join(20)
        assert not thread.is_alive()
    assert run.told == [("stop",)]


def test_a_stop_that_takes_too_long_is_said(server, base):
    with (
        ControlClient(RUN_ID, base, timeout_s=0.2) as client,
        pytest.raises(GraphError, match="has not ended within"),
    ):
        client.stop()


def test_runs_are_found_by_the_beginning_of_their_names(server, base):
    (base / "ffffffffffff").mkdir()
    (base / "notes").mkdir()
    (found,) = list_runs(base)
    assert (found.run_id, found.pid, found.stages) == (RUN_ID, 1, ("detect",))
    assert find_run(base, None) == find_run(base, "0123") == found
    with pytest.raises(GraphError, match="there is no run 'fff'"):
        find_run(base, "fff")


def test_without_a_name_there_must_be_one_run(base, server):
    assert list_runs(base / "nowhere") == []
    with pytest.raises(GraphError, match="no graph runs"):
        find_run(base / "nowhere", None)
    second = "abcdefabcdef"
    (base / second).mkdir()
    other = ControlServer(Run(), base / second / SOCKET_NAME)
    try:
        with pytest.raises(GraphError, match="2 runs fit"):
            find_run(base, None)
    finally:
        other.close()


def test_a_run_that_does_not_answer_is_named_with_its_process(base, monkeypatch):
    monkeypatch.setattr("sightline.graph.runs._CONNECT_S", 0.05)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(base / RUN_ID / SOCKET_NAME))
        listener.listen(2)  # lets three wait
        assert look_for_runs(base) == [SilentRun(run_id=RUN_ID, pid=os.getpid())]
        assert list_runs(base) == []
        with pytest.raises(
            GraphError, match=rf"{RUN_ID} \(process {os.getpid()}\) does not answer"
        ):
            find_run(base, None)
        # so many wait to be let in that no further one gets through
        assert look_for_runs(base)[-1:] == [SilentRun(run_id=RUN_ID, pid=None)]
    assert look_for_runs(base) == []


def test_a_socket_that_cannot_be_made_is_an_error(run, tmp_path):
    with pytest.raises(GraphError, match="cannot listen"):
        ControlServer(run, tmp_path / "no-folder" / SOCKET_NAME)


def test_every_request_is_in_the_reference():
    page = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"
    text = page.read_text(encoding="utf-8")
    for what, (keys, _) in _REQUESTS.items():
        (row,) = (line for line in text.splitlines() if f'{{"do": "{what}"' in line)
        assert all(f'"{key}": ' in row for key in keys)
