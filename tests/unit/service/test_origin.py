import pytest
from starlette.datastructures import Headers

from sightline.service.origin import check_host, check_origin
from sightline.service.problems import ProblemError

HOST = {"host": "127.0.0.1:8000"}


def check(method, headers, *, proof=False):
    check_origin(method, Headers({**HOST, **headers}), proof=proof)


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:8000", "box"]
)
def test_a_loopback_service_answers_to_its_names(host):
    check_host(host, frozenset({"box"}))


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example",
     "192.168.1.5", "0.0.0.0", "localhost@evil.example", "[", "[::1", "2130706433"],
)  # fmt: skip
def test_a_name_that_was_rebound_to_loopback_is_refused(host):
    with pytest.raises(ProblemError) as caught:
        check_host(host, frozenset({"box"}))
    assert caught.value.status == 421


def test_programs_that_are_no_browsers_send_nothing_and_pass():
    check("POST", {})
    check("GET", {})


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://127.0.0.1:8000.evil.example"},
        {"origin": "http://[", "sec-fetch-site": "none"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
@pytest.mark.parametrize("proof", [False, True])
def test_the_page_of_another_origin_is_refused(method, headers, proof):
    with pytest.raises(ProblemError) as caught:
        check(method, headers, proof=proof)
    assert caught.value.status == 403


def test_a_form_of_another_site_that_navigates_is_refused_and_a_link_is_not():
    foreign = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    check("GET", foreign)
    with pytest.raises(ProblemError):
        check("POST", {**foreign, "origin": "https://evil.example"})
    with pytest.raises(ProblemError):
        check("POST", foreign)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "same-origin", "origin": "https://behind-a-proxy.example"},
        {"origin": "http://127.0.0.1:8000"},
        {"x-requested-with": "sightline"},
    ],
)
def test_the_own_page_passes_with_a_cookie(headers):
    check("POST", headers, proof=True)


@pytest.mark.parametrize(
    "headers", [{}, {"sec-fetch-site": "none"}, {"x-requested-with": "XMLHttpRequest"}]
)
def test_a_cookie_alone_changes_nothing(headers):
    check("GET", headers, proof=True)
    with pytest.raises(ProblemError):
        check("POST", headers, proof=True)


def test_the_header_does_not_excuse_a_foreign_origin():
    with pytest.raises(ProblemError):
        check("POST", {"x-requested-with": "sightline", "origin": "https://evil.example"})
