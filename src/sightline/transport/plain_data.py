"""The data of a frame as bytes: msgpack, with NumPy arrays as an extension type.

    ┌──────┬──────────┬──────┬──────────────┬──────────────────────────────┐
    │ kind │ itemsize │ ndim │ ndim × shape │ values, little-endian, C order │
    └──────┴──────────┴──────┴──────────────┴──────────────────────────────┘
     1 byte  1 byte    1 byte  8 bytes each   extension type 1

It does not know what the data mean.
"""

from __future__ import annotations

import math
import struct
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from sightline.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["pack_data", "unpack_data"]

_ARRAY = 1
_ITEMSIZES = {"b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8), "c": (8, 16)}
_SCALARS = frozenset({type(None), bool, int, float, str, bytes})
_SCALAR_KINDS = frozenset("biufU")
_INTEGERS = range(-(1 << 63), 1 << 64)
_NOTHING: Mapping[str, Any] = MappingProxyType({})


def pack_data(data: Mapping[str, Any]) -> bytes:
    """Write the data of a frame; no bytes at all if there are none.

    Values may be None, bool, int of 64 bits, float, str, bytes, NumPy arrays of bool, int, uint,
    float or complex, and lists and dicts of these; keys are strings. NumPy scalars become Python
    numbers, and tuples become lists.

    Raises:
        ProtocolError: A value is something else; the message names its key.

    >>> unpack_data(pack_data({"speed": 3.5, "path": (1, 2)}))
    {'speed': 3.5, 'path': [1, 2]}
    """
    if not data:
        return b""
    try:
        return _encoder.encode(_plain_dict(data, "data"))
    except RecursionError as error:
        raise ProtocolError("data are nested too deeply, or contain themselves") from error


def unpack_data(data: bytes | memoryview) -> Mapping[str, Any]:
    """Read the data of a frame. Arrays are read-only, and views of the bytes where aligned.

    Raises:
        ProtocolError: They are malformed.
    """
    if not data:
        return _NOTHING
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, TypeError, struct.error, RecursionError) as error:
        raise ProtocolError(f"malformed data of a frame came: {error}") from error


def _plain(value: Any, where: str) -> Any:
    """Make of a value what the encoder writes as described above."""
    if isinstance(value, np.generic) and value.dtype.kind in _SCALAR_KINDS:
        value = value.item()
    kind = type(value)
    if kind in _SCALARS:
        _check_scalar(value, where)
        return value
    if kind is np.ndarray:  # no masked arrays, which are more than their values
        return _packed_array(value, where)
    if isinstance(value, list | tuple):
        return [_plain(item, where) for item in value]
    if isinstance(value, dict):
        return _plain_dict(value, where)
    raise ProtocolError(
        f"{where} is a {kind.__module__}.{kind.__qualname__}, which cannot travel between "
        "processes: make it of numbers, strings, bytes, lists, dicts and NumPy arrays"
    )


def _plain_dict(value: Mapping[Any, Any], where: str) -> dict[str, Any]:
    for name in value:
        if type(name) is not str:
            raise ProtocolError(f"{where} has the key {name!r}, but keys must be strings")
        _check_scalar(name, where)
    return {name: _plain(item, f"{where}[{name!r}]") for name, item in value.items()}


def _check_scalar(value: Any, where: str) -> None:
    if type(value) is int and value not in _INTEGERS:
        raise ProtocolError(f"{where} holds {value}, which does not fit into 64 bits")
    if type(value) is str and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ProtocolError(f"{where} holds {value!r}, which is not Unicode") from error


def _packed_array(array: NDArray[Any], where: str) -> msgspec.msgpack.Ext:
    dtype = array.dtype
    if dtype.itemsize not in _ITEMSIZES.get(dtype.kind, ()):
        raise ProtocolError(
            f"{where} is an array of {dtype}, which cannot travel between processes: "
            "convert it to bool, int, uint, float or complex of at most 64 bits a number"
        )
    header = struct.pack(
        f"<cBB{array.ndim}Q", dtype.kind.encode(), dtype.itemsize, array.ndim, *array.shape
    )
    values = array.astype(dtype.newbyteorder("<"), copy=False).tobytes()
    return msgspec.msgpack.Ext(_ARRAY, header + values)


def _unpacked_array(code: int, payload: memoryview) -> NDArray[Any]:
    if code != _ARRAY:
        raise ValueError(f"extension type {code} is not known")
    kind, itemsize, ndim = struct.unpack_from("<cBB", payload)
    name = kind.decode("latin-1")
    shape = struct.unpack_from(f"<{ndim}Q", payload, 3)
    values = payload[3 + 8 * ndim :]
    known = itemsize in _ITEMSIZES.get(name, ())
    if not known or math.prod(shape) * itemsize != len(values):
        raise ValueError(f"an array of {name}{itemsize}, shape {shape}, in {len(values)} bytes")
    array = np.frombuffer(values, np.dtype(f"<{name}{itemsize}")).reshape(shape)
    array = np.require(array, requirements="A")
    array.flags.writeable = False
    return array


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[str, Any], ext_hook=_unpacked_array)
