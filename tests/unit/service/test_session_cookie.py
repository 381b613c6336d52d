import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.service.secret import ServerSecret
from sightline.service.session_cookie import SessionCookies

OLD = ServerSecret(current=b"a" * 32)
NEW = ServerSecret(current=b"b" * 32, previous=b"a" * 32)


def test_a_cookie_stands_for_its_key_until_its_end():
    cookies = SessionCookies(OLD, lifetime_s=100)
    value = cookies.make("key-1", now_s=1000.0)
    assert cookies.read(value, now_s=1099.0) == "key-1"
    assert cookies.read(value, now_s=1100.0) is None


@pytest.mark.parametrize("position", range(0, 55, 6))
def test_a_cookie_that_was_changed_is_worth_nothing(position):
    cookies = SessionCookies(OLD)
    value = cookies.make("key-1", now_s=1000.0)
    changed = value[:position] + ("A" if value[position] != "A" else "B") + value[position + 1 :]
    assert cookies.read(changed, now_s=1000.0) is None


@given(st.text())
def test_any_other_text_is_no_cookie(text):
    assert SessionCookies(OLD).read(text, now_s=1000.0) is None


def test_sessions_survive_a_change_of_the_secret_once():
    value = SessionCookies(OLD).make("key-1", now_s=1000.0)
    assert SessionCookies(NEW).read(value, now_s=1000.0) == "key-1"
    alone = ServerSecret(current=b"b" * 32)
    assert SessionCookies(alone).read(value, now_s=1000.0) is None
