"""Videos over HTTP from a real server, which may also be slow, broken or hostile."""

from __future__ import annotations

import http.server
import re
import socket
import ssl
import subprocess
import threading
import time
import traceback
from base64 import b64encode
from contextlib import closing

import cv2
import numpy as np
import pytest

from sightline.errors import MediaError
from sightline.media.opening import open_source
from sightline.media.options import SourceOptions

PASSWORD = "geheim"
FASTSTART = {"movflags": "faststart"}


class Site:
    """What a server answers: whole files, files that break off, or anything a function writes."""

    def __init__(self):
        self.files = {}
        self.breaks_off = set()
        self.stalls = set()
        self.searchable = set()
        self.redirects = {}
        self.streams = {}
        self.protected = False
        self.released = threading.Event()
        self.reached = threading.Event()

    def answer(self, handler):
        name = handler.path.partition("?")[0].lstrip("/")
        handler.close_connection = True
        if self.protected and not self._may_enter(handler):
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", 'Basic realm="site"')
            handler.end_headers()
        elif name in self.redirects:
            handler.send_response(302)
            handler.send_header("Location", self.redirects[name])
            handler.end_headers()
        elif name in self.streams:
            self.streams[name](handler)
        elif name in self.files:
            self._send(handler, name)
        else:
            handler.send_error(404)

    def _may_enter(self, handler):
        expected = b64encode(f"ann:{PASSWORD}".encode()).decode()
        return handler.headers.get("Authorization") == f"Basic {expected}"

    def _send(self, handler, name):
        data = self.files[name].read_bytes()
        wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        if wanted and name in self.searchable:
            start = int(wanted[1])
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            data = data[start:]
        else:
            handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.send_header("Connection", "close")
        handler.end_headers()
        part = len(data) * 6 // 10 if name in self.breaks_off | self.stalls else len(data)
        handler.wfile.write(data[:part])
        if name in self.stalls:
            handler.wfile.flush()
            self.reached.set()
            self.released.wait(30)


@pytest.fixture
def site():
    site = Site()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            site.answer(self)

        def log_message(self, *_):
            """Print nothing."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            """Clients that leave are what these tests are about."""

    with Server(("127.0.0.1", 0), Handler) as server:
        site.server = server
        site.place = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield site
        site.released.set()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["a.mp4", "fast.mp4", "a.mkv", "a.ts", "v.webm"])
def test_a_video_is_read_from_a_server(name, site, write_video, read_number):
    codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
    options = FASTSTART if name.startswith("fast") else {}
    site.files[name] = write_video(name, codec=codec, container_options=options)
    with closing(open_source(f"http://{site.place}/{name}")) as source:
        assert [read_number(frame.image) for frame in source.frames()] == list(range(20))
        assert not source.losses
        assert source.info.name == f"{site.place}/{name}".replace("/", "-").replace(":", "-")
        assert not source.info.live


@pytest.mark.parametrize("name", ["a.mp4", "fast.mp4", "a.mkv", "a.ts"])
def test_a_part_of_a_video_is_read_from_a_server(name, site, write_video, read_number):
    options = FASTSTART if name.startswith("fast") else {}
    video = write_video(
        name, count=100, codec_options={"x264-params": "keyint=10"}, container_options=options
    )
    site.files[name] = video
    site.searchable.add(name)
    bounds = SourceOptions(start_s=2.02, end_s=2.42)
    with closing(open_source(f"http://{site.place}/{name}", options=bounds)) as source:
        assert [read_number(frame.image) for frame in source.frames()] == list(range(51, 61))


def test_redirects_are_followed_to_servers_only(site, write_video):
    video = write_video("a.ts")
    site.files["a.ts"] = video
    site.redirects = {"good": f"http://{site.place}/a.ts", "bad": f"file://{video}"}
    with closing(open_source(f"http://{site.place}/good")) as source:
        assert len(list(source.frames())) == 20
    with pytest.raises(MediaError):
        open_source(f"http://{site.place}/bad")


def test_credentials_are_used_and_appear_nowhere(site, write_video):
    site.files["a.mp4"] = write_video("a.mp4", container_options=FASTSTART)
    site.protected = True
    with closing(open_source(f"http://ann:{PASSWORD}@{site.place}/a.mp4?key={PASSWORD}")) as source:
        assert len(list(source.frames())) == 20
        assert PASSWORD not in repr(source.info)
    for address in (
        f"http://ann:no-{PASSWORD}@{site.place}/a.mp4?key={PASSWORD}",
        f"http://ann:{PASSWORD}@{site.place}/b.mp4?key={PASSWORD}",
        f"http://ann:{PASSWORD}@127.0.0.1:1/b.mp4?key={PASSWORD}",
    ):
        with pytest.raises(MediaError) as caught:
            open_source(address)
        assert PASSWORD not in "".join(traceback.format_exception(caught.value))
        assert "http://***@127.0.0.1" in str(caught.value)


@pytest.mark.parametrize(
    ("path", "cause"),
    [("missing.mp4", "404 Not Found"), ("letter.mp4", "it is not a video")],
)
def test_what_a_server_does_not_have_is_an_error_that_says_so(path, cause, site, tmp_path):
    site.files["letter.mp4"] = tmp_path / "letter.mp4"
    site.files["letter.mp4"].write_text("Dear Sir or Madam\n" * 400)
    with pytest.raises(MediaError, match=cause):
        open_source(f"http://{site.place}/{path}")


def test_a_server_that_is_not_there_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(MediaError, match=f"http://127.0.0.1:{port}/a.mp4: connection refused"):
        open_source(f"http://127.0.0.1:{port}/a.mp4")
    with pytest.raises(MediaError, match="the server cannot be reached"):
        open_source("http://no-such-host.invalid/a.mp4")


def test_a_server_that_does_not_answer_is_given_up_after_the_time_limit():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.mp4"
        started = time.monotonic()
        with pytest.raises(MediaError, match=r"no data came for 0\.5 s"):
            open_source(address, options=SourceOptions(timeout_s=0.5))
        assert time.monotonic() - started < 10


@pytest.mark.parametrize("name", ["a.ts", "a.mkv", "fast.mp4"])
def test_a_connection_that_breaks_off_is_an_error_after_the_frames_that_came(
    name, site, write_video, read_number
):
    options = FASTSTART if name.startswith("fast") else {}
    site.files[name] = write_video(name, count=100, container_options=options)
    site.breaks_off.add(name)
    numbers = []
    with closing(open_source(f"http://{site.place}/{name}")) as source:
        frames = source.frames()
        with pytest.raises(MediaError, match=f"http://{site.place}/{name}: the connection broke"):
            numbers.extend(read_number(frame.image) for frame in frames)
        assert list(frames) == []
    assert len(numbers) > 10
    assert numbers[:-1] == list(range(len(numbers) - 1))


def test_a_connection_that_stalls_is_an_error_after_the_time_limit(site, write_video):
    site.files["a.ts"] = write_video("a.ts", count=100)
    site.stalls.add("a.ts")
    options = SourceOptions(timeout_s=0.5)
    with (
        closing(open_source(f"http://{site.place}/a.ts", options=options)) as source,
        pytest.raises(MediaError, match=r"no data came for 0\.5 s"),
    ):
        list(source.frames())


def test_closing_ends_a_reader_that_waits_for_the_network(site, write_video):
    site.files["a.ts"] = write_video("a.ts", count=100)
    site.stalls.add("a.ts")
    source = open_source(f"http://{site.place}/a.ts", options=SourceOptions(timeout_s=1))
    ended = []

    def read():
        ended.append(sum(1 for _ in source.frames()))

    reader = threading.Thread(target=read)
    reader.start()
    assert site.reached.wait(30)
    source.close()
    source.close()
    reader.join(30)
    assert not reader.is_alive()
    assert len(ended) == 1


def test_motion_jpeg_of_a_camera_is_read(site):
    images = [np.full((48, 64, 3), value, np.uint8) for value in (10, 120, 240)]

    def stream(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()
        for image in images:
            jpeg = cv2.imencode(".jpg", image)[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            handler.wfile.write(head.encode() + jpeg + b"\r\n")

    site.streams["camera"] = stream
    values = []
    with closing(open_source(f"http://{site.place}/camera")) as source:
        assert source.info.live
        with pytest.raises(MediaError, match="camera: the connection broke off"):
            values.extend(int(frame.image.mean()) for frame in source.frames())
    assert values == pytest.approx([10, 120, 240], abs=2)


def playlist(tmp_path, *segments):
    path = tmp_path / "list.m3u8"
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1", "#EXT-X-MEDIA-SEQUENCE:0"]
    for segment in segments:
        lines += ["#EXTINF:0.8,", segment]
    path.write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]))
    return path


def test_an_hls_playlist_is_read_through_its_segments(site, tmp_path, write_video, read_number):
    site.files["0.ts"] = write_video("0.ts")
    site.files["1.ts"] = write_video("1.ts", times=range(20, 40), first_number=20)
    site.files["list.m3u8"] = playlist(tmp_path, "0.ts", f"http://{site.place}/1.ts")
    with closing(open_source(f"http://{site.place}/list.m3u8")) as source:
        assert [read_number(frame.image) for frame in source.frames()] == list(range(40))
        assert not source.info.live


def test_an_hls_playlist_that_will_grow_is_live(site, tmp_path, write_video):
    site.files["0.ts"] = write_video("0.ts")
    path = site.files["list.m3u8"] = playlist(tmp_path, "0.ts")
    path.write_text(path.read_text().replace("#EXT-X-ENDLIST\n", ""))
    with closing(open_source(f"http://{site.place}/list.m3u8")) as source:
        assert source.info.live


def test_an_hls_playlist_cannot_reach_the_files_of_this_machine(site, tmp_path, write_video):
    local = write_video("local.ts")
    for segment in (f"file://{local}", str(local), f"concat:{local}", f"subfile,,:{local}"):
        site.files["list.m3u8"] = playlist(tmp_path, segment)
        with pytest.raises(MediaError):
            open_source(f"http://{site.place}/list.m3u8", options=SourceOptions(timeout_s=2))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", folder / "key.pem", "-out", folder / "certificate.pem"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subprocess.run([*command, *subject, *files], check=True, capture_output=True)
    return folder / "certificate.pem", folder / "key.pem"


def test_a_certificate_must_be_trusted_unless_the_user_waives_it(
    site, certificate, write_video, monkeypatch
):
    site.files["a.ts"] = write_video("a.ts")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
    address = f"https://{site.place}/a.ts"
    with pytest.raises(MediaError, match="its certificate is not trusted"):
        open_source(address)
    with closing(open_source(address, options=SourceOptions(verify_tls=False))) as source:
        assert len(list(source.frames())) == 20
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with closing(open_source(address)) as source:
        assert len(list(source.frames())) == 20
