"""Which packets are entry points, by the bits that tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.media.entry import _is_av1_entry, _is_h264_entry, _is_hevc_entry, _nal_units

SPS, PPS, IDR, SLICE = b"\x67\x42", b"\x68\xce", b"\x65\x88", b"\x41\x9a"
USER_DATA = b"\x06\x05\x02ab\x80"
EXACT_AT_ONCE = b"\x06\x06\x01\xc4\x80"
INEXACT_AT_ONCE = b"\x06\x06\x01\x84\x80"
AFTER_SOME_FRAMES = b"\x06\x06\x01\x46\x80"


def h264(*units):
    return _is_h264_entry(iter(units))


@pytest.mark.parametrize(
    ("units", "is_entry"),
    [
        ((SPS, PPS, IDR), True),
        ((SLICE,), False),
        ((EXACT_AT_ONCE, SLICE), True),
        ((USER_DATA, EXACT_AT_ONCE, SLICE), True),
        ((b"\x06\x05\x02ab\x06\x01\xc4\x80", SLICE), True),
        ((b"\x06\x05\xff\x01" + b"a" * 256 + b"\x06\x01\xc4\x80", SLICE), True),
        ((INEXACT_AT_ONCE, SLICE), False),
        ((AFTER_SOME_FRAMES, SLICE), False),
        ((USER_DATA, SLICE), False),
        ((SLICE, EXACT_AT_ONCE), False),
        ((), False),
        ((b"",), False),
    ],
)
def test_h264_is_entered_at_idr_pictures_and_where_it_is_exact_at_once(units, is_entry):
    assert h264(*units) is is_entry


@pytest.mark.parametrize("kind", range(40))
def test_hevc_is_entered_at_irap_pictures(kind):
    parameters = bytes([32 << 1, 1, 9])
    assert _is_hevc_entry(iter([parameters, bytes([kind << 1, 1, 9])])) is (16 <= kind <= 21)


SEQUENCE = b"\x0a\x01\x00"
DELIMITER = b"\x12\x00"


@pytest.mark.parametrize(
    ("data", "is_entry"),
    [
        (DELIMITER + SEQUENCE + b"\x32\x02\x10\x00", True),
        (SEQUENCE + b"\x36\x00\x02\x10\x00", True),
        (SEQUENCE + b"\x30\x10", True),
        (DELIMITER + b"\x32\x02\x10\x00", False),
        (SEQUENCE + b"\x32\x02\x30\x00", False),
        (SEQUENCE + b"\x32\x02\x00\x00", False),
        (SEQUENCE + b"\x1a\x02\x90\x00", False),
        (SEQUENCE, False),
        (b"", False),
    ],
)
def test_av1_is_entered_at_key_frames_that_are_shown_at_once(data, is_entry):
    assert _is_av1_entry(data) is is_entry


def test_nal_units_are_found_by_start_codes_and_by_lengths():
    assert list(_nal_units(b"\0\0\0\1ab\0\0\1c", 0)) == [b"ab", b"c"]
    assert list(_nal_units(b"\0\0\0\2ab\0\0\0\1c", 4)) == [b"ab", b"c"]
    assert list(_nal_units(b"\0\2ab\0\1c", 2)) == [b"ab", b"c"]


@given(data=st.binary(max_size=60), length_size=st.sampled_from([0, 1, 2, 4]))
def test_no_data_break_the_search(data, length_size):
    _is_h264_entry(_nal_units(data, length_size))
    _is_hevc_entry(_nal_units(data, length_size))
    _is_av1_entry(data)
