"""Addresses that must not be contacted are not, by whatever way they are reached."""

import pickle
import socket
from dataclasses import replace

import pytest

from sightline.fetch.download import DownloadLimits, download
from sightline.fetch.errors import FetchCode, FetchError
from sightline.fetch.policy import AddressPolicy
from sightline.fetch.post import post

BODY = b"video" * 1000


def whole(head):
    yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    yield BODY


def redirecting(location):
    return lambda head: [
        f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
    ]


def refusal(url, to, policy, **options):
    with pytest.raises(FetchError) as caught:
        download(url, to, policy=policy, **options)
    assert not list(to.parent.iterdir())
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.fixture
def to(tmp_path):
    return tmp_path / "source"


def test_this_machine_is_not_contacted_by_default(serve, to):
    server = serve(whole)
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.0.0.1."):
        error = refusal(server.url(host=host), to, AddressPolicy(ports=None))
        assert error.code is FetchCode.ADDRESS_REFUSED
    assert not server.requests


def test_a_name_that_changes_its_address_after_the_check_gains_nothing(serve, to):
    public = serve(whole, host="127.0.0.1")
    asked = []

    def rebinding(host, port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    inside = socket.create_server(("127.0.0.2", public.port))
    with inside:
        policy = AddressPolicy(private=("127.0.0.1",), ports=None, resolve=rebinding)
        download(public.url(host="rebind.example"), to, policy=policy)
        inside.setblocking(False)
        with pytest.raises(BlockingIOError):
            inside.accept()
    assert asked == ["rebind.example"]
    assert to.read_bytes() == BODY
    assert f"Host: rebind.example:{public.port}\r\n" in public.requests[0]


def test_a_name_that_changes_its_address_between_attempts_is_checked_again(serve, to):
    def breaking(head):
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + BODY[:100]

    server = serve(breaking)
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    policy = AddressPolicy(
        private=("127.0.0.1",), ports=None, resolve=lambda host, port: answers.pop(0)
    )
    limits = DownloadLimits(retry_delay_s=0.0)
    error = refusal(server.url(host="rebind.example"), to, policy, limits=limits)
    assert error.code is FetchCode.ADDRESS_REFUSED
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "//169.254.169.254/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[fd00:ec2::254]/",
        "http://10.0.0.1/",
        "http://metadata.example/",
    ],
)
def test_a_redirect_to_an_address_inside_is_refused(serve, to, location):
    server = serve(redirecting(location))
    policy = AddressPolicy(
        private=("127.0.0.1",), ports=None, resolve=lambda host, port: ["169.254.169.254"]
    )
    assert refusal(server.url(), to, policy).code is FetchCode.ADDRESS_REFUSED


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO", "http://0x7f.1/"]
)
def test_a_redirect_to_what_is_no_web_address_is_refused(serve, to, loopback, location):
    assert refusal(serve(redirecting(location)).url(), to, loopback).code is FetchCode.BAD_URL


def test_redirects_in_a_circle_end(serve, to, loopback):
    server = serve(redirecting("/again"))
    error = refusal(server.url(), to, loopback)
    assert error.code is FetchCode.TOO_MANY_REDIRECTS
    assert len(server.requests) == 6


def test_redirects_are_followed_and_keep_the_password_to_themselves(serve, to, loopback):
    target = serve(whole)
    hop = serve(redirecting(target.url("/b.mp4")))
    first = serve(lambda head: redirecting("/c" if "GET /a" in head else hop.url("/d"))(head))
    url = first.url("/a").replace("://", "://ann:geheim@")
    download(url, to, policy=loopback)
    assert all("Authorization: Basic" in head for head in first.requests)
    assert len(first.requests) == 2
    assert "Authorization" not in hop.requests[0] + target.requests[0]


def test_the_first_address_that_answers_is_used(serve, to, loopback):
    server = serve(whole)
    policy = replace(loopback, resolve=lambda host, port: ["127.0.0.3", "127.0.0.1"])
    assert download(server.url(host="two.example"), to, policy=policy).size == len(BODY)


def test_the_first_address_that_answers_is_used_in_ipv6(serve, to):
    try:
        server = serve(whole, host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    policy = AddressPolicy(private=("::1/128",), ports=None)
    assert download(server.url(host="[::1]"), to, policy=policy).size == len(BODY)
    assert f"Host: [::1]:{server.port}\r\n" in server.requests[0]


def test_proxies_of_the_environment_are_not_used(serve, to, loopback, monkeypatch):
    proxy, server = serve(whole), serve(whole)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url(""))
    download(server.url(), to, policy=loopback)
    assert not proxy.requests


def test_a_certificate_is_checked_against_the_name_that_was_asked_for(
    serve, to, tls, certificate, loopback
):
    server = serve(whole, context=tls)
    policy = replace(loopback, authorities=certificate[0], resolve=lambda host, port: ["127.0.0.1"])
    done = download(server.url(host="video.example"), to, policy=policy)
    assert done.size == len(BODY)
    to.unlink()
    error = refusal(server.url(host="other.example"), to, policy)
    assert error.code is FetchCode.TLS
    assert not error.again
    assert refusal(server.url(host="127.0.0.1"), to, policy).code is FetchCode.TLS


def test_a_certificate_that_nobody_signed_is_refused(serve, to, tls, loopback):
    policy = replace(loopback, resolve=lambda host, port: ["127.0.0.1"])
    error = refusal(serve(whole, context=tls).url(host="video.example"), to, policy)
    assert error.code is FetchCode.TLS


def test_what_does_not_answer_in_tls_is_no_https(serve, to, loopback):
    server = serve(whole)
    url = server.url().replace("http:", "https:")
    error = refusal(url, to, loopback, limits=DownloadLimits(connect_timeout_s=0.3))
    assert error.code in (FetchCode.TLS, FetchCode.UNREACHABLE)


def test_what_does_not_listen_is_unreachable_and_may_be_tried_again(to, loopback):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = refusal(f"http://127.0.0.1:{port}/", to, loopback)
    assert error.code is FetchCode.UNREACHABLE
    assert error.again


def test_a_policy_passes_between_processes():
    policy = AddressPolicy(private=("10.0.0.0/8", "nas.example"), denied_hosts=(".bad.example",))
    assert pickle.loads(pickle.dumps(policy)) == policy


def test_a_post_is_checked_in_the_same_way(serve):
    server = serve(whole)
    with pytest.raises(FetchError) as caught:
        post(server.url(), content=b"{}", headers={}, policy=AddressPolicy(ports=None))
    assert caught.value.code is FetchCode.ADDRESS_REFUSED
    assert not server.requests


def test_a_post_tells_the_status_and_follows_no_redirect(serve, loopback):
    server = serve(redirecting("/elsewhere"))
    headers = {"Content-Type": "application/json"}
    assert post(server.url(), content=b'{"a": 1}', headers=headers, policy=loopback) == 302
    (request,) = server.requests
    assert request.startswith("POST /video.mp4 HTTP/1.1\r\n")
    assert "Content-Length: 8\r\n" in request
    assert "Content-Type: application/json\r\n" in request
