"""Names that are safe as file names, addresses that are safe to show."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.media.naming import redact, safe_name, url_name


@given(st.text())
def test_names_are_safe_and_never_empty(text):
    name = safe_name(text)
    assert re.fullmatch(r"[\w.-]{1,100}", name)
    assert name not in (".", "..")
    assert not name.startswith((".", "-"))


@given(st.text())
def test_a_safe_name_is_kept(text):
    name = safe_name(text)
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://cam/live", "rtsp://cam/live"),
        ("rtsp://ann:pw@cam:554/live", "rtsp://***@cam:554/live"),
        ("rtsp://ann@cam/live", "rtsp://***@cam/live"),
        ("rtsp://ann:p@w@cam/live", "rtsp://***@cam/live"),
        ("https://cam/a.mp4?token=x#y", "https://cam/a.mp4?***"),
        ("http://ann:pw@[::1]:80/a", "http://***@[::1]:80/a"),
        ("http://ann:pw@[::1/a", "http://***"),
    ],
)
def test_addresses_are_shown_without_user_password_and_query(address, shown):
    assert redact(address) == shown


secrets = st.text(min_size=3).map(lambda text: "S3" + quote(text, safe="") + "S3")


@given(user=secrets, password=secrets, token=secrets)
def test_no_secret_is_ever_shown(user, password, token):
    address = f"rtsp://{user}:{password}@cam/live?token={token}"
    for text in (redact(address), url_name(address)):
        for secret in (user, password, token):
            assert secret not in text


def test_streams_are_named_after_host_and_path():
    assert url_name("rtsp://ann:pw@cam-1/live/main?x=1") == "cam-1-live-main"
    assert url_name("http://[::1]:8080/") == "1-8080"
