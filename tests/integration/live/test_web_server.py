"""The live view over HTTP: what it answers, and that no viewer can hold the pipeline up."""

import contextlib
import socket
import threading
from contextlib import closing
from urllib.parse import urlsplit

import cv2
import httpx
import numpy as np
import pytest

from sightline.errors import OutputError
from sightline.frame import Frame
from sightline.live import application
from sightline.live.web import Web
from sightline.media.opening import open_source

WATCHING = "GET /streams/{}.mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n"


def decode(jpeg):
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def connect(web, receive_buffer=None):
    """Open a bare connection, with as little room for what is not read as the system allows."""
    address = urlsplit(web.address)
    client = socket.socket()
    if receive_buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(30)
    client.connect((address.hostname, address.port))
    return client


def server_threads():
    return [t for t in threading.enumerate() if t.name == "sightline-web"]


def only(get):
    (stream,) = get("streams").json()["streams"]
    return stream


def test_the_streams_are_listed_with_their_figures(start_camera, get, wait_until):
    camera = start_camera("gate", size=(80, 40))
    stream = wait_until(lambda: (s := only(get))["rate"] > 0 and s)
    assert stream["name"] == "gate"
    assert (stream["width"], stream["height"]) == (80, 40)
    assert 0 < stream["frames"] <= camera.frames + 1
    assert stream["age_ms"] >= 0
    assert stream["viewers"] == 0
    assert stream["path"] == "streams/gate"


def test_a_runner_may_add_figures_of_its_own(web, start_camera, get):
    start_camera("gate")
    web.stats = lambda: {
        "gate": {"hops": {"in": {"p50_ms": 1.5, "p99_ms": float("nan")}}, "drops": {"q": {"x": 1}}},
        "another": {"hops": {}},
    }
    stream = only(get)
    assert stream["hops"] == {"in": {"p50_ms": 1.5, "p99_ms": None}}
    assert stream["drops"] == {"q": {"x": 1}}


def test_metrics_are_there_if_the_runner_provides_them(web, start_camera, get):
    start_camera()
    assert get("metrics").status_code == 404
    web.metrics = lambda: "frames_total 7\n"
    answer = get("metrics")
    assert answer.text == "frames_total 7\n"
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_a_single_picture_is_the_next_frame(start_camera, get):
    start_camera("gate", size=(80, 40))
    answer = get("streams/gate.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "no-store"
    assert decode(answer.content).shape == (40, 80, 3)


def test_a_single_picture_of_a_stream_that_stands_still_is_refused_in_the_end(
    start_camera, get, monkeypatch
):
    monkeypatch.setattr(application, "_NEXT_FRAME_TIMEOUT_S", 0.05)
    start_camera().stop()
    answer = get("streams/gate.jpg")
    assert answer.status_code == 503
    assert answer.text == "no frame within 0.05 s"


def test_motion_jpeg_is_a_video_that_a_source_can_read(web, start_camera):
    start_camera("gate", size=(80, 40))
    with closing(open_source(f"{web.address}/streams/gate.mjpeg")) as source:
        images = [frame.image for frame, _ in zip(source.frames(), range(5), strict=False)]
    assert [image.shape for image in images] == [(40, 80, 3)] * 5
    assert len({int(image.mean()) // 8 for image in images}) > 1


def test_pictures_of_several_streams_come_over_one_connection(web, start_camera):
    start_camera("a", size=(20, 10))
    start_camera("b", size=(40, 10))
    query = {"stream": ["b", "a"]}
    widths = {}
    with (
        httpx.Client(timeout=30, trust_env=False) as client,
        client.stream("GET", f"{web.address}/watch", params=query) as answer,
    ):
        received = bytearray()
        for chunk in answer.iter_raw():
            received += chunk
            while len(received) >= 8:
                position = int.from_bytes(received[:4])
                length = int.from_bytes(received[4:8])
                if len(received) < 8 + length:
                    break
                widths[position] = decode(bytes(received[8 : 8 + length])).shape[1]
                del received[: 8 + length]
            if len(widths) == 2:
                break
    assert widths == {0: 40, 1: 20}


@pytest.mark.parametrize(
    "path",
    ["streams/no.jpg", "streams/no.mjpeg", "watch?stream=no", "streams/gate.png", "page.css"],
)
def test_what_is_not_there_is_not_found(start_camera, get, path):
    start_camera()
    assert get(path).status_code == 404


@pytest.mark.parametrize("path", ["", "page.js", "streams", "streams/gate.jpg", "nowhere"])
def test_every_answer_tells_the_browser_to_trust_nothing_else(start_camera, get, path):
    start_camera()
    headers = get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers


def test_asking_for_the_head_of_a_video_ends_at_once(web, start_camera):
    start_camera()
    answer = httpx.head(f"{web.address}/streams/gate.mjpeg", timeout=30, trust_env=False)
    assert answer.headers["content-type"] == "multipart/x-mixed-replace; boundary=picture"


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a/b?c#d%20", "通り", "..", "x.jpg"])
def test_any_name_of_a_stream_has_an_address_that_works(start_camera, get, name):
    start_camera(name)
    stream = only(get)
    assert stream["name"] == name
    assert get(f"{stream['path']}.jpg").status_code == 200


def test_a_name_that_is_no_text_has_an_address_that_works(web, start_camera, get):
    start_camera("caf\udce9")
    web.stats = lambda: {"caf\udce9": {"hops": {}}}
    stream = only(get)
    assert stream["name"] == "caf?"
    assert stream["hops"] == {}
    assert get(f"{stream['path']}.jpg").status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:1", 200), ("127.0.0.1", 200), ("[::1]:80", 200), ("evil.example", 421)],
)
def test_a_page_on_loopback_is_not_served_under_foreign_names(start_camera, get, host, status):
    start_camera()
    assert get("streams", headers={"host": host}).status_code == status


def test_a_page_for_others_is_served_under_every_name(stream_of):
    with Web(0, "0.0.0.0") as web:
        web.open(stream_of("gate"))
        assert web.address.startswith("http://127.0.0.1:")
        answer = httpx.get(
            f"{web.address}/streams", headers={"host": "camera.example"}, trust_env=False
        )
        assert answer.status_code == 200


def test_a_viewer_that_never_reads_costs_the_pipeline_a_bounded_number_of_copies(
    stream_of, wait_until
):
    """Frames go in until 500 in a row were of no interest: the viewer's way is full for good."""
    noise = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)
    stuck = Web(0, max_rate=1000)
    with stuck, closing(stuck.for_stream(stream_of("gate"))) as sink:
        sink.open(stream_of("gate"))
        (feed,) = stuck._feeds.values()
        with closing(connect(stuck, receive_buffer=4096)) as client:
            client.sendall(WATCHING.format("gate").encode())
            wait_until(lambda: feed.describe(0)["viewers"] == 1)
            written = in_a_row = 0

            def is_stuck():
                nonlocal written, in_a_row
                before = feed.number
                sink.write(Frame(image=noise, seq=written, pts=written))
                written += 1
                in_a_row = in_a_row + 1 if feed.number == before else 0
                return feed.number > 0 and in_a_row >= 500

            wait_until(is_stuck)
            assert feed.describe(0)["frames"] == written
            assert feed.number < 30
            for seq in range(10):
                sink.write(Frame(image=noise, seq=seq, pts=seq))
            assert feed.describe(0)["frames"] == written + 10


def test_a_viewer_that_never_reads_does_not_hold_others_or_the_end_up(
    web, start_camera, get, wait_until, caplog
):
    camera = start_camera("gate", size=(640, 480))
    with closing(connect(web, receive_buffer=4096)) as stuck:
        stuck.sendall(WATCHING.format("gate").encode())
        wait_until(lambda: only(get)["viewers"] == 1)
        for _ in range(5):
            assert get("streams/gate.jpg").status_code == 200
        camera.close()
        web.close()
        assert server_threads() == []
        assert web.address is None
    assert caplog.records == []


def test_a_viewer_that_leaves_is_forgotten(web, start_camera, get, wait_until, caplog):
    camera = start_camera()
    with closing(connect(web)) as client:
        client.sendall(WATCHING.format("gate").encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")
        wait_until(lambda: only(get)["viewers"] == 1)
    wait_until(lambda: only(get)["viewers"] == 0)
    seen = camera.frames
    wait_until(lambda: camera.frames > seen + 10)
    assert caplog.records == []


def test_the_video_ends_with_its_stream_while_others_go_on(web, start_camera, get, wait_until):
    start_camera("b")
    camera = start_camera("a")
    with closing(connect(web)) as client:
        client.sendall(WATCHING.format("a").encode())
        received = client.recv(1000)
        wait_until(lambda: [s["viewers"] for s in get("streams").json()["streams"]] == [0, 1])
        camera.close()
        while not received.endswith(b"\r\n0\r\n\r\n"):
            part = client.recv(1 << 16)
            assert part
            received += part
    assert only(get)["name"] == "b"


def test_nonsense_sent_to_the_port_harms_nobody(web, start_camera, get):
    start_camera()
    for nonsense in (b"\x00\xff" * 5000, b"GET / HTTP/9\r\n\r\n", b""):
        with closing(connect(web)) as client, contextlib.suppress(ConnectionError):
            client.sendall(nonsense)
            client.shutdown(socket.SHUT_WR)
            while client.recv(1000):
                pass
    assert get("streams").status_code == 200


def test_a_port_in_use_is_an_error_that_says_what_to_do(web, stream_of):
    web.open(stream_of("gate"))
    port = urlsplit(web.address).port
    second = Web(port)
    with pytest.raises(
        OutputError,
        match=rf"cannot serve on 127\.0\.0\.1 port {port}: Address already in use; choose another",
    ):
        second.open(stream_of("gate"))
    second.close()
    web.close()
    second.open(stream_of("gate"))
    second.close()


def test_a_host_that_does_not_exist_is_an_error(stream_of):
    with pytest.raises(OutputError, match=r"cannot serve on no\.such\.host\.invalid port 0"):
        Web(0, "no.such.host.invalid").open(stream_of("gate"))


def test_two_streams_of_one_name_are_an_error(web, stream_of):
    first, second = (web.for_stream(stream_of("gate")) for _ in range(2))
    first.open(stream_of("gate"))
    with pytest.raises(OutputError, match="a stream named 'gate' is on the page already"):
        second.open(stream_of("gate"))
    first.close()
    second.open(stream_of("gate"))
    second.close()


def test_opening_an_open_sink_is_an_error(web, stream_of):
    web.open(stream_of("gate"))
    with pytest.raises(RuntimeError, match="open already"):
        web.open(stream_of("gate"))


def test_the_page_stays_until_the_last_stream_and_the_owner_are_done(web, stream_of):
    first, second = (web.for_stream(stream_of(name)) for name in "ab")
    first.open(stream_of("a"))
    address = web.address
    first.close()
    assert web.address == address
    second.open(stream_of("b"))
    web.close()
    assert httpx.get(f"{address}/streams", trust_env=False).status_code == 200
    second.close()
    assert web.address is None
    assert server_threads() == []


@pytest.mark.parametrize("end", ["close", "discard"])
def test_it_can_be_opened_again_on_the_same_port(stream_of, end):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    web = Web(port)
    for _ in range(3):
        web.open(stream_of("gate"))
        assert httpx.get(f"{web.address}/streams", trust_env=False).status_code == 200
        getattr(web, end)()
        assert server_threads() == []


def test_a_stream_that_is_started_again_is_another_one(web, stream_of, get):
    sink = web.for_stream(stream_of("gate"))
    ids = set()
    for _ in range(2):
        sink.open(stream_of("gate"))
        ids.add(only(get)["id"])
        sink.close()
    assert len(ids) == 2
