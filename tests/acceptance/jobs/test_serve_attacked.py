"""What an attacker would try on an afternoon, against `sightline serve` as it runs.

Single defences are tested where they are; here everything is in place at once.
"""

import base64
import http.client
import re
import resource
import socket
import threading
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from tests.job_service import until, write_video
from tests.serve_process import PATIENCE_S, ServeProcess

from sightline.jobs.sql.database import database_in
from sightline.service.keys import KeyStore
from sightline.service.owner import KeyLimits, Scope

STREAMS = 1000
CONNECTIONS = 300
SECRET = "hunter2"
REFUSED = {"source-address-refused", "source-bad-url"}
PROBLEM = "application/problem+json"

# {trap}: a port of this machine that is allowed, but in another network; {port}: the service's own
INSIDE = [
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "http://127.0.0.1:{port}/v1/jobs",
    "http://localhost:{port}/metrics",
    "http://127.0.0.1:{trap}/a.mp4",
    "http://localhost:{trap}/a.mp4",
    "http://[::1]:{trap}/a.mp4",
    "http://[::ffff:127.0.0.1]:{trap}/a.mp4",
    "http://[::ffff:a9fe:a9fe]/a.mp4",
    "http://[64:ff9b::7f00:1]:{trap}/a.mp4",
    "http://2130706433:{trap}/a.mp4",
    "http://0x7f000001:{trap}/a.mp4",
    "http://0177.0.0.1:{trap}/a.mp4",
    "http://127.1:{trap}/a.mp4",
    "http://0:{trap}/a.mp4",
    "http://0.0.0.0:{trap}/a.mp4",
    "http://ann:hunter2@127.0.0.1:{trap}/a.mp4",
    "http://example.org@127.0.0.1:{trap}/a.mp4",
    "http://127.0.0.1:{trap}#@example.org/a.mp4",
    "http://127.0.0.1:{trap}\\@example.org/a.mp4",
]
ELSEWHERE = [
    "file:///etc/passwd",
    "gopher://127.0.0.1:{trap}/_GET",
    "ftp://127.0.0.1:{trap}/a.mp4",
    "data:video/mp4;base64,AAAA",
    "concat:/etc/passwd|/etc/hostname",
    "subfile:/etc/passwd",
    "tcp://127.0.0.1:{trap}",
]
SCRIPTS = {
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n",
    "list.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n",
    "concat.avi": "ffconcat version 1.0\nfile '{address}'\nfile /etc/passwd\n",
    "plain.mkv": "file '/etc/passwd'\nfile '{address}'\n",
    "dash.mpd": '<?xml version="1.0"?><MPD><BaseURL>{address}</BaseURL></MPD>',
    "call.sdp": "v=0\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    "entity.ttml": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><tt>&a;</tt>',
}
PATHS = [
    "/../../../../etc/passwd",
    "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/static/..%2f..%2f..%2f..%2fetc/passwd",
    "/jobs/..%2f..%2fsecret",
    "/v1/jobs/..",
    "/v1/jobs/..%2f..",
    "/v1/jobs/%2e%2e%2f%2e%2e%2fjobs.sqlite",
    "/v1/jobs/{id}/results/..%2f..%2f..%2fsecret",
    "/v1/jobs/{id}/results/results.sqlite",
    "/v1/jobs/{id}/results/%00",
    "/v1/jobs/{id}%2f..%2f{id}",
    "/v1/jobs/{id}%00",
    "/v1/uploads/..%2fsecret",
    "/v1/pipelines/..%2f..%2fetc%2fpasswd",
    "/status/..%2fjobs.sqlite",
    "//etc/passwd",
]
HOSTILE_NAMES = [
    'a.mp4"\r\nSet-Cookie: evil=1\r\n\r\n<script>alert(1)</script>',
    '"; filename="evil.exe"; x="',
    "../../../../evil.mp4",
    "Straße \N{OM SYMBOL}\N{RIGHT-TO-LEFT OVERRIDE}4pm.mp4",
    "a\x9b31m\x1b[2J.mp4",
]


class EvilSite:
    """Redirects /N to the N-th of its targets, never ends /held; anything else is a video.

    Attributes:
        targets: Addresses; may be changed.
    """

    def __init__(self, video):
        self.targets = []
        self._closed = threading.Event()
        content, targets, closed = video.read_bytes(), self.targets, self._closed

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                number = self.path.strip("/")
                to = targets[int(number)] if number.isdecimal() else None
                self.send_response(200 if to is None else 302)
                if to is not None:
                    self.send_header("location", to)
                self.send_header("content-length", str(len(content) if to is None else 0))
                self.end_headers()
                with suppress(OSError):
                    if self.path == "/held":
                        closed.wait()
                    self.wfile.write(content if to is None else b"")

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.at = f"127.0.0.1:{self._server.server_address[1]}"

    def url(self, path):
        return f"http://{self.at}/{path}"

    def close(self):
        self._closed.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Trap:
    """Listens on a port of this machine that nobody may connect to.

    Attributes:
        port: The port.
    """

    def __init__(self):
        self._listeners = [socket.create_server(("127.0.0.1", 0))]
        self.port = self._listeners[0].getsockname()[1]
        if socket.has_ipv6:
            with suppress(OSError):  # the machine has none at the moment
                address = ("::1", self.port)
                self._listeners.append(socket.create_server(address, family=socket.AF_INET6))

    def check(self):
        for listener in self._listeners:
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()

    def close(self):
        for listener in self._listeners:
            listener.close()


@pytest.fixture(scope="module")
def trap():
    trap = Trap()
    yield trap
    trap.close()


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "street.mp4", frames=12)


@pytest.fixture(scope="module")
def site(video):
    site = EvilSite(video)
    yield site
    site.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory, site, trap):
    """A service that may fetch from the evil site, and whose folder is not alone in its own."""
    parent = tmp_path_factory.mktemp("served")
    (parent / "secret").write_text(SECRET)
    networks = ("--allow-network", site.at, "--allow-network", f"10.1.0.0/16:{trap.port}")
    with ServeProcess(parent / "data", "--workers", "1", *networks) as process:
        yield process
        assert SECRET not in process.end()[1]
    assert sorted(path.name for path in parent.iterdir()) == ["data", "secret"]
    named = re.compile(
        r"(jobs|uploads)(/[0-9a-z-]+(/(source|thumbnail\.jpg|preview\.mp4|chunks|results"
        r"|chunks/\d{4}\.[0-9a-f]+|results/[a-z]+\.[a-z]+))?)?"
    )
    for path in (parent / "data").rglob("*"):
        name = str(path.relative_to(parent / "data"))
        assert "/" not in name or named.fullmatch(name), name


@pytest.fixture(scope="module")
def client(served):
    with httpx.Client(base_url=served.url, timeout=PATIENCE_S) as client:
        yield client


@pytest.fixture(scope="module")
def done(client, video):
    """A job that succeeded."""
    answer = client.post("/v1/jobs", files={"file": ("a.mp4", video.read_bytes())})
    job = ended(client, answer.json()["id"])
    assert job["status"] == "succeeded"
    return job


def ended(client, job_id):
    return until(
        lambda: (job := client.get(f"/v1/jobs/{job_id}?wait=20").json())["terminal"] and job
    )


def raw(served, method, target, headers=None, body=None):
    """Make a request whose target is sent as it is; return status, headers, body."""
    place = urlsplit(served.url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=PATIENCE_S)
    try:
        connection.request(method, target, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def connect(served):
    place = urlsplit(served.url)
    return socket.create_connection((place.hostname, place.port), timeout=PATIENCE_S)


def filled(addresses, served, trap):
    port = served.url.rpartition(":")[2]
    return [address.format(port=port, trap=trap.port) for address in addresses]


def submit_both_ways(client, address):
    """Submit an address by both interfaces; return the ids of the jobs that were accepted."""
    answers = [
        client.post("/push", data={"source_name": "x", "source_url": address}),
        client.post("/v1/jobs", json={"source_url": address}),
    ]
    for answer in answers:
        assert answer.status_code in (202, 422), answer.text
        assert SECRET not in answer.text
    return [answer.json()["id"] for answer in answers if answer.status_code == 202]


def test_no_address_leads_inside(client, served, trap):
    addresses = filled(INSIDE + ELSEWHERE, served, trap)
    accepted = [job_id for address in addresses for job_id in submit_both_ways(client, address)]
    assert len(accepted) > len(INSIDE)
    for job_id in accepted:
        job = ended(client, job_id)
        assert (job["status"], job["error"]["code"] in REFUSED) == ("failed", True), job
        assert SECRET not in str(job) + client.get(f"/status/{job_id}").text
    for address in filled(ELSEWHERE, served, trap):
        assert submit_both_ways(client, address) == []
    trap.check()


def test_no_redirect_leads_inside(client, served, site, trap):
    site.targets[:] = filled(INSIDE + ELSEWHERE, served, trap)
    site.targets.append(f"//127.0.0.1:{trap.port}/a.mp4")
    site.targets.append(site.url(str(len(site.targets) - 1)))  # by a second redirect
    addresses = [site.url(str(number)) for number in range(len(site.targets))]
    for job_id in [job_id for address in addresses for job_id in submit_both_ways(client, address)]:
        job = ended(client, job_id)
        assert (job["status"], job["error"]["code"] in REFUSED) == ("failed", True), job
        assert SECRET not in str(job)
    trap.check()


def test_no_webhook_goes_inside(client, served, site, trap):
    addresses = filled(INSIDE, served, trap)
    for address in addresses:
        body = {"source_url": site.url("a.mp4"), "webhook_url": address, "end_s": 0.1}
        answer = client.post("/v1/jobs", json=body)
        if answer.status_code == 202:
            client.post(answer.json()["links"]["cancel"])
        else:
            assert answer.status_code == 422
    trap.check()


def test_no_script_in_an_upload_is_followed(client, trap):
    address = f"http://127.0.0.1:{trap.port}/a.ts"
    accepted = []
    for name, script in SCRIPTS.items():
        content = script.format(address=address).encode()
        for padded in (content, content.ljust(5000, b"\n")):
            answer = client.post("/v1/jobs", files={"file": (name, padded, "video/mp4")})
            assert answer.status_code == 202, answer.text
            accepted.append(answer.json()["id"])
    for job_id in accepted:
        job = ended(client, job_id)
        assert (job["status"], job["error"]["code"]) == ("failed", "source-not-video")
        assert "root:" not in str(job)
    trap.check()


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_out_of_the_service(served, done, path):
    for method in ("GET", "HEAD", "DELETE", "PATCH"):
        headers = {"tus-resumable": "1.0.0"}
        status, _, content = raw(served, method, path.format(id=done["id"]), headers)
        assert 400 <= status < 500, (method, status)
        for secret in (b"root:", SECRET.encode(), b"SQLite format"):
            assert secret not in content


@pytest.mark.parametrize(
    "span",
    [
        "bytes=" + ",".join(f"{n}-" for n in range(1000)),
        "bytes=99999999999999999999999-",
        "bytes=-99999999999999999999999",
        "bytes=0-18446744073709551616",
        "bytes=\x85\x85-",
        "lines=../../secret",
    ],
)
def test_no_range_is_more_than_the_file(served, done, span):
    path = f"/v1/jobs/{done['id']}/results/mot"
    _, _, whole = raw(served, "GET", path)
    status, _, content = raw(served, "GET", path, {"range": span})
    assert status in (200, 206, 416)
    assert status == 416 or content == whole


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_a_hostile_name_stays_a_name(client, served, video, sightline, name):
    content = video.read_bytes()
    metadata = f"filename {base64.b64encode(name.encode()).decode()}"
    head = {"tus-resumable": "1.0.0", "upload-length": str(len(content))}
    head |= {"content-type": "application/offset+octet-stream", "upload-metadata": metadata}
    uploaded = client.post("/v1/uploads", content=content, headers=head)
    body = {"upload": uploaded.headers["location"].rpartition("/")[2], "outputs": ["mot"]}
    job = ended(client, client.post("/v1/jobs", json=body).json()["id"])
    assert job["status"] == "succeeded"
    assert job["source"]["name"].isprintable()
    assert "/" not in job["source"]["name"]
    for path in [f"results/{name}" for name in ("mot", "summary")] + ["video", "thumbnail.jpg", ""]:
        status, headers, _ = raw(served, "GET", f"{job['links']['self']}/{path}".rstrip("/"))
        assert status == 200
        assert headers["set-cookie"] is None
        assert headers["x-content-type-options"] == "nosniff"
        given = headers["content-disposition"]
        if path.startswith("results"):
            assert re.fullmatch(r'attachment; filename="(mot\.txt|summary\.json)"', given)
        assert headers.as_string().isascii()
    shown = sightline("jobs", "--server", served.url)
    assert all(line.isprintable() for line in shown.stdout.splitlines())


@pytest.mark.parametrize("name", ["a\r\nb", "a\x1b[2J", "a\x9b31m", "\x00"])
def test_a_name_that_moves_the_cursor_is_refused(client, site, name):
    for answer in (
        client.post("/v1/jobs", json={"source_url": site.url("a"), "source_name": name}),
        client.post("/push", data={"source_url": site.url("a"), "source_name": name}),
        client.post("/v1/jobs", json={"source_url": site.url("a"), "labels": {"a": name}}),
    ):
        assert answer.status_code == 422, answer.text


@pytest.mark.parametrize(
    "body",
    [
        '{"params": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"labels": ' + '{"a":' * 20_000 + "1" + "}" * 20_000 + "}",
        '{"params": {"classes": ' + "[" * 150 + "]" * 150 + '}, "source_url": "http://a.b/c"}',
        '{"start_s": ' + "9" * 100_000 + ', "source_url": "http://a.b/c"}',
        '{"start_s": 1e999, "source_url": "http://a.b/c"}',
        '{"source_name": "\\ud800", "source_url": "http://a.b/c"}',
        "[" * 200_000,
        "\ufeff{}",
        "NaN",
    ],
    ids=range(9),
)
def test_hostile_json_is_refused(client, video, body):
    kind = {"content-type": "application/json"}
    answers = [
        client.post(path, content=body, headers=kind) for path in ("/v1/jobs", "/v1/session")
    ]
    files = {"file": ("a.mp4", video.read_bytes())}
    answers.append(client.post("/v1/jobs", files=files, data={"job": body}))
    for answer in answers:
        assert answer.status_code in (400, 401, 422), answer.text
        assert answer.headers["content-type"] == PROBLEM
        assert len(answer.content) < 20_000


@pytest.mark.parametrize("path", ["/v1/jobs", "/push", "/v1/session"])
@pytest.mark.parametrize(
    "framing", [b"content-length: 1000000000000", b"transfer-encoding: chunked"]
)
def test_a_body_without_end_is_refused(served, path, framing):
    with connect(served) as connection:
        connection.sendall(
            b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n%b\r\n\r\n"
            % (path.encode(), framing)
        )
        with suppress(ConnectionError):
            for _ in range(40 if b"chunked" in framing else 0):
                connection.sendall(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_many_slow_clients_do_not_stop_the_others(client, served, video):
    heads = [b"", b"GET /v1/jobs HT", b"POST /push HTTP/1.1\r\nhost: localhost\r\nx-a: "]
    form = b"content-type: application/x-www-form-urlencoded\r\ncontent-length: 1000\r\n\r\nsource"
    heads.append(b"POST /push HTTP/1.1\r\nhost: localhost\r\n" + form)
    parts = b"content-type: multipart/form-data; boundary=b\r\ncontent-length: 100000\r\n\r\n--b"
    heads.append(b"POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\n" + parts)
    with ExitStack() as stack:
        for number in range(CONNECTIONS):
            connection = stack.enter_context(connect(served))
            connection.sendall(heads[number % len(heads)])
        assert client.get("/livez").status_code == 200
        assert client.get("/").status_code == 200
        answer = client.post("/v1/jobs", files={"file": ("a.mp4", video.read_bytes())})
        assert ended(client, answer.json()["id"])["status"] == "succeeded"


def received(connection, mark):
    """Read from a connection until something has come; return what came."""
    content = b""
    while mark not in content:
        piece = connection.recv(65536)
        assert piece, content
        content += piece
    return content


def test_a_thousand_event_streams_hear_the_end_and_one_more_is_refused(client, served, site, video):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * STREAMS)), hard))
    watched = client.post("/v1/jobs", json={"source_url": site.url("held")}).json()
    ask = f"GET {watched['links']['events']} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
    with ExitStack() as stack:
        streams = [stack.enter_context(connect(served)) for _ in range(STREAMS)]
        for stream in streams:
            stream.sendall(ask)
        for stream in streams:
            assert received(stream, b"\n\n").startswith(b"HTTP/1.1 200 ")
        refused = client.get(watched["links"]["events"])
        assert (refused.status_code, refused.headers["content-type"]) == (429, PROBLEM)
        path = client.post("/v1/jobs", files={"file": ("a.mp4", video.read_bytes())}).json()[
            "links"
        ]
        until(lambda: client.get(path["self"]).json()["status"] == "succeeded")
        client.post(watched["links"]["cancel"])
        for stream in streams:
            received(stream, b"event: done")
    until(lambda: client.get(watched["links"]["self"] + "?wait=0.01").status_code == 200)


def test_foreign_pages_and_rebound_names_get_nothing(client, served, site):
    before = client.get("/v1/jobs").json()["jobs"]
    form = urlencode({"source_name": "evil", "source_url": site.url("a.mp4")})
    kind = {"content-type": "application/x-www-form-urlencoded"}
    for origin in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    ):
        status, _, _ = raw(served, "POST", "/push", kind | origin, form)
        assert status == 403
    for host in (
        "evil.example",
        f"evil.example:{served.url.rpartition(':')[2]}",
        "",
        "127.0.0.1@a",
    ):
        for method, path in (("POST", "/push"), ("GET", "/v1/jobs"), ("GET", "/")):
            status, headers, _ = raw(served, method, path, kind | {"host": host}, form)
            assert status == 421
            assert headers["access-control-allow-origin"] is None
    assert client.get("/v1/jobs").json()["jobs"] == before


def test_with_keys_nobody_reaches_anything_of_others(tmp_path, video):
    database = database_in(tmp_path)
    database.migrate()
    keys = KeyStore(database)
    scopes = frozenset({Scope.READ, Scope.WRITE})
    ann, bob = (
        keys.create(name, scopes=scopes, limits=KeyLimits(), now_s=1.0).secret
        for name in ("ann", "bob")
    )
    database.close()
    with (
        ServeProcess(tmp_path, "--workers", "1") as service,
        httpx.Client(base_url=service.url, timeout=PATIENCE_S) as client,
    ):
        hers = {"authorization": f"Bearer {ann}"}
        his = {"authorization": f"Bearer {bob}", "tus-resumable": "1.0.0"}
        files = {"file": ("a.mp4", video.read_bytes())}
        job_id = client.post("/v1/jobs", files=files, headers=hers).json()["id"]
        head = hers | {"tus-resumable": "1.0.0", "upload-length": "10"}
        upload_id = client.post("/v1/uploads", headers=head).headers["location"].rpartition("/")[2]
        until(lambda: client.get(f"/v1/jobs/{job_id}", headers=hers).json()["terminal"])

        paths = client.get("/openapi.json").json()["paths"]
        foreign = [
            (method, path.format(job_id=job_id, format="mot"))
            for path, methods in paths.items()
            for method in methods
            if "{job_id}" in path
        ]
        assert len(foreign) >= 15
        foreign += [(method, f"/v1/uploads/{upload_id}") for method in ("HEAD", "PATCH", "DELETE")]
        for method, path in foreign:
            body = {"upload-offset": "0", "content-type": "application/offset+octet-stream"}
            answer = client.request(method, path, headers=his | body)
            assert answer.status_code == 404, (method, path, answer.text)
            for name in ("key", "api_key", "access_token"):
                answer = client.request(method, path, params={name: ann})
                assert answer.status_code == 401, (method, path)
        answer = client.post("/v1/jobs", json={"upload": upload_id}, headers=his)
        assert answer.json()["type"].endswith(":unknown-upload")
        assert client.get("/v1/jobs", headers=his).json()["jobs"] == []
        assert client.get(f"/v1/jobs/{job_id}", headers=hers).json()["status"] == "succeeded"
        ended = service.end()
        assert ended[0] == 130
        assert ann not in ended[1]
