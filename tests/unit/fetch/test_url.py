"""Taking URLs apart: one reading of each, or none."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sightline.fetch.errors import FetchCode, FetchError
from sightline.fetch.url import host_of, parse_url


def test_a_url_is_taken_apart():
    url = parse_url("https://Example.ORG.:8443/a/b.mp4?x=1&y=%20#part")
    assert (url.scheme, url.host, url.port) == ("https", "example.org", 8443)
    assert url.target == "/a/b.mp4?x=1&y=%20"
    assert url.authority == "example.org:8443"


def test_user_and_password_are_used_and_shown_nowhere():
    url = parse_url("https://ann:s%40cret@example.org/a?token=hidden")
    assert url.authorization == "Basic YW5uOnNAY3JldA=="
    for text in (repr(url), url.shown):
        assert "s%40cret" not in text
        assert "YW5u" not in text
    assert "hidden" not in url.shown


@pytest.mark.parametrize(
    "text",
    [
        "http://0x7f.1/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.0.1.0x1/",
        "http://1.2.3.4.5/",
        "http://256.1.1.1/",
    ],
)
def test_an_ip_address_in_an_odd_form_is_refused(text):
    with pytest.raises(FetchError, match="four decimal numbers") as caught:
        parse_url(text)
    assert caught.value.code is FetchCode.BAD_URL


@pytest.mark.parametrize(
    "text",
    [
        "http://good.example\\@evil.example/",
        "http://a@b@c/",
        "http://exa mple.org/",
        "http://example.org/\r\nHost: evil",
        "http://exam\tple.org/",
        "http://example.org:99999/",
        "http://example.org:0/",
        "http://example.org:8o/",
        "http://127.0.0.1%2f@x/%00\x00",
        "http://ex%61mple.org/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://[::1]x/",
        "http:///a.mp4",
        "http://../",
        "http://-a.example/",
        "//example.org/a.mp4",
        "example.org/a.mp4",
        "file:///etc/passwd",
        "ftp://example.org/a.mp4",
        "gopher://example.org/",
        "data:video/mp4;base64,AAAA",
        "https:example.org",
        "",
        "http://" + "a" * 9000 + ".example/",
        "http://exa\u2100mple.org/",
        "http://example.org/\ud800",
        "http://ann\ud800@example.org/",
    ],
)
def test_what_parsers_disagree_on_is_refused(text):
    with pytest.raises(FetchError) as caught:
        parse_url(text)
    assert caught.value.code is FetchCode.BAD_URL
    assert "\n" not in str(caught.value)


def test_letters_and_dots_of_other_scripts_become_what_they_stand_for():
    fullwidth = "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else "\u3002" for c in "127.0.0.1")
    assert host_of(fullwidth) == "127.0.0.1"
    assert host_of("bücher.example") == "xn--bcher-kva.example"
    assert host_of("127.0.0.1.") == "127.0.0.1"


def test_a_redirect_keeps_user_and_password_for_the_same_origin_only():
    url = parse_url("https://ann:secret@example.org/a/b")
    assert url.joined("c?d").target == "/a/c?d"
    assert url.joined("c").authorization == url.authorization
    for elsewhere in ("https://other.example/", "http://example.org/", "https://example.org:444/"):
        assert url.joined(elsewhere).authorization is None


def test_a_redirect_to_another_protocol_is_refused():
    url = parse_url("https://example.org/")
    for location in ("file:///etc/passwd", "gopher://x/", "javascript:alert(1)", "ht\ttp://x/"):
        with pytest.raises(FetchError):
            url.joined(location)


@pytest.mark.parametrize("location", ["http://[x", "//[", "//exa\u2100mple.org/", "http://a]b/"])
def test_a_redirect_to_what_cannot_be_understood_is_refused(location):
    with pytest.raises(FetchError) as caught:
        parse_url("https://example.org/").joined(location)
    assert caught.value.code is FetchCode.BAD_URL


@given(st.text(max_size=60))
def test_any_redirect_leads_to_a_url_or_is_refused(location):
    try:
        url = parse_url("https://example.org/a").joined(location)
    except FetchError:
        return
    assert url.host.isascii()
    assert url.target.isascii()


@given(st.text(max_size=60))
def test_any_text_is_a_url_in_one_form_or_is_refused(text):
    try:
        url = parse_url(f"http://{text}")
    except FetchError:
        return
    assert url.host.isascii()
    assert url.target.isascii()
    again = parse_url(f"{url.scheme}://{url.authority}{url.target}")
    assert (again.origin, again.target) == (url.origin, url.target)


@given(st.text(max_size=20), st.text(max_size=20))
@example(user="a/", password="")
@example(user="a?", password="")
def test_no_password_is_ever_shown(user, password):
    secret = f"pw{password}pw"
    try:
        shown = parse_url(f"http://{user}:{secret}@example.org/").shown
    except FetchError as error:
        shown = str(error)
    assert secret not in shown
    assert "pw" not in shown
