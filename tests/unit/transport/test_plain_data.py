"""Data of frames as bytes: whatever is plain comes back, whatever is not is named."""

import datetime as dt
import enum
from collections import OrderedDict
from contextlib import suppress
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sightline.errors import ProtocolError
from sightline.transport.plain_data import pack_data, unpack_data

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
DTYPES = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(endianness="?"),
    arrays.unsigned_integer_dtypes(endianness="?"),
    arrays.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    arrays.complex_number_dtypes(endianness="?", sizes=(64, 128)),
)
ARRAYS = DTYPES.flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, min_side=0))
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    TEXT,
    st.binary(max_size=10),
)
VALUES = st.recursive(
    SCALARS | ARRAYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


def same(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray):
        little = one.dtype.newbyteorder("<")
        return (
            other.dtype == little
            and other.shape == one.shape
            and other.tobytes() == one.astype(little).tobytes()
        )
    return type(one) is type(other) and (one == other or one != one)  # the same, or NaN


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_plain_data_come_back_as_they_were(data):
    assert same(data, dict(unpack_data(pack_data(data))))


@given(st.binary(max_size=100))
def test_any_bytes_are_data_or_refused(data):
    with suppress(ProtocolError):
        unpack_data(b"\x81\xa1k" + data)


def test_no_data_are_no_bytes():
    assert pack_data({}) == b""
    assert unpack_data(b"") == {}


def test_arrays_that_come_back_are_read_only_aligned_and_views_if_large():
    for padding in range(8):
        data = {"p" * padding: None, "x": np.arange(5.0), "mask": np.ones((30, 40), bool)}
        packed = pack_data(data)
        found = unpack_data(packed)
        for name in ("x", "mask"):
            assert found[name].flags.aligned
            assert not found[name].flags.writeable
        assert not found["mask"].flags.owndata


def test_arrays_of_any_order_and_stride_come_back_with_their_values():
    base = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    for array in (base.T, base[:, ::2, ::-1], np.asfortranarray(base), base[:0]):
        assert np.array_equal(unpack_data(pack_data({"a": array}))["a"], array)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(-3), -3),
        (np.uint8(255), 255),
        (np.bool_(True), True),
        (np.str_("car"), "car"),
        ((1, (2.5, "x")), [1, [2.5, "x"]]),
        (OrderedDict(b=1, a=()), {"b": 1, "a": []}),
        ([np.float16(2.0)], [2.0]),
    ],
)
def test_numpy_scalars_become_numbers_and_tuples_become_lists(value, plain):
    found = unpack_data(pack_data({"value": value}))["value"]
    assert found == plain
    assert type(found) is type(plain)


def test_a_mapping_that_is_no_dict_can_be_the_whole():
    assert unpack_data(pack_data(MappingProxyType({"a": 1}))) == {"a": 1}


class Colour(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        pytest.param(object(), id="object"),
        1j,
        2**64,
        -(2**63) - 1,
        dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        Colour.RED,
        MappingProxyType({"a": 1}),
        np.array([None]),
        np.array(["car"]),
        np.array(["2024-01-01"], "M8[D]"),
        np.zeros(2, [("x", "f4")]),
        np.longdouble(1),
        np.zeros(2, np.longdouble),
        np.complex64(1j),
        np.timedelta64(5, "ns"),
        np.datetime64(5, "ns"),
        np.ma.masked_array([1.0, 2.0], mask=[True, False]),
        "caf\udce9",
        {3: "three"},
        {"caf\udce9": 1},
    ],
    ids=repr,
)
def test_what_is_not_plain_is_refused_with_its_key_in_one_line(value):
    for data in ({"good": 1, "bad": value}, {"bad": [value]}, {"outer": {"bad": [[value]]}}):
        with pytest.raises(ProtocolError, match="bad") as caught:
            pack_data(data)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", [3, None, b"key", "caf\udce9"], ids=repr)
def test_a_key_that_is_no_text_is_refused(key):
    with pytest.raises(ProtocolError, match=r"^data h"):
        pack_data({key: 1})


def test_data_that_contain_themselves_are_refused():
    data = {"list": []}
    data["list"].append(data)
    with pytest.raises(ProtocolError, match="contain themselves"):
        pack_data(data)
