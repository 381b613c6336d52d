"""The order of images in a folder."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sightline.media.images import natural_key


def test_numbers_are_ordered_by_value():
    names = ["a10.png", "a9.png", "a1b2.png", "a1b10.png", "A2.png", "b.png", "10.png", "9.png"]
    assert sorted(names, key=natural_key) == [
        "9.png",
        "10.png",
        "a1b2.png",
        "a1b10.png",
        "A2.png",
        "a9.png",
        "a10.png",
        "b.png",
    ]


@given(st.lists(st.text(), unique=True))
def test_any_names_have_one_order(names):
    backwards = names[::-1]
    assert sorted(names, key=natural_key) == sorted(backwards, key=natural_key)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.text("abc_-", max_size=3))
def test_frames_are_in_the_order_of_their_numbers(a, b, prefix):
    first, second = f"{prefix}{min(a, b)}.png", f"{prefix}{max(a, b)}.png"
    assert natural_key(first) <= natural_key(second)
