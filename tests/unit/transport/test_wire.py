"""The wire format: golden bytes, the specification beside the code, and what must be refused."""

import json
import re
import types
import typing
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import ProtocolError
from sightline.transport import messages
from sightline.transport.frames import pack_data, pack_objects, unpack_data, unpack_objects
from sightline.transport.messages import Message, decode, encode

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8"))
SPEC = (Path(__file__).parents[3] / "spec" / "wire.md").read_text(encoding="utf-8")
TYPES = {kind.__name__: kind for kind in typing.get_args(Message)}
STRUCTURES = [
    getattr(messages, name)
    for name in messages.__all__
    if isinstance(getattr(messages, name), type)
]


def plain(value):
    """Make of a JSON value what it stands for."""
    if isinstance(value, dict):
        if value.keys() == {"bin"}:
            return bytes.fromhex(value["bin"])
        if value.keys() == {"array", "values"}:
            return np.array(value["values"], value["array"])
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def message_of(vector):
    number = TYPES[vector["type"]].__struct_config__.tag
    return msgspec.convert([number, *plain(vector["fields"])], Message)


def equal(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return type(one) is type(other) and one == other


def named(key):
    return pytest.mark.parametrize(
        "vector", VECTORS[key], ids=lambda vector: vector.get("name") or vector["why"]
    )


@named("messages")
def test_a_message_has_just_these_bytes(vector):
    message = message_of(vector)
    assert encode(message).hex() == vector["hex"]
    assert decode(bytes.fromhex(vector["hex"])) == message


@named("messages")
def test_a_message_is_an_array_of_all_its_fields(vector):
    number = TYPES[vector["type"]].__struct_config__.tag
    assert len(vector["fields"]) == len(TYPES[vector["type"]].__struct_fields__)
    raw = msgspec.msgpack.encode([number, *plain(vector["fields"])])
    assert vector["hex"] == (b"\x01" + raw).hex()


def test_there_are_bytes_for_every_type():
    assert {vector["type"] for vector in VECTORS["messages"]} == set(TYPES)


@named("messages")
def test_values_after_the_last_field_are_ignored(vector):
    number = TYPES[vector["type"]].__struct_config__.tag
    raw = msgspec.msgpack.encode([number, *plain(vector["fields"]), {"later": [1]}, None])
    assert decode(b"\x01" + raw) == message_of(vector)


@named("messages")
def test_fields_missing_at_the_end_have_their_defaults(vector):
    kind = TYPES[vector["type"]]
    required = [field for field in msgspec.structs.fields(kind) if field.required]
    fields = plain(vector["fields"])[: len(required)]
    short = msgspec.msgpack.encode([kind.__struct_config__.tag, *fields])
    assert decode(b"\x01" + short) == msgspec.convert([kind.__struct_config__.tag, *fields], kind)


@named("malformed_messages")
def test_a_malformed_message_is_refused_in_one_line(vector):
    with pytest.raises(ProtocolError) as caught:
        decode(bytes.fromhex(vector["hex"]))
    assert "\n" not in str(caught.value)


@named("data")
def test_data_have_just_these_bytes(vector):
    data = plain(vector["value"])
    assert pack_data(data).hex() == vector["hex"]
    assert equal(data, dict(unpack_data(bytes.fromhex(vector["hex"]))))


@named("malformed_data")
def test_malformed_data_are_refused_in_one_line(vector):
    with pytest.raises(ProtocolError) as caught:
        unpack_data(bytes.fromhex(vector["hex"]))
    assert "\n" not in str(caught.value)


@named("messages")
def test_the_objects_of_the_examples_are_those_that_detections_make(vector):
    objects = getattr(message_of(vector), "objects", None)
    if objects is not None:
        assert pack_objects(unpack_objects(objects)) == objects


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(rest):
    with suppress(ProtocolError):
        decode(b"\x01" + rest)


@given(st.sampled_from(VECTORS["messages"]), st.data())
def test_a_message_with_a_changed_byte_is_a_message_or_refused(vector, data):
    changed = bytearray.fromhex(vector["hex"])
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ProtocolError):
        decode(bytes(changed))


def spell(kind):
    """Write a type as the tables of the specification do."""
    inner = [spell(part) for part in typing.get_args(kind) if part is not Ellipsis]
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(inner)
    if origin is list or Ellipsis in typing.get_args(kind):
        return f"[{inner[0]} …]"
    if origin is tuple:
        return f"[{', '.join(inner)}]"
    if origin is dict:
        return f"{{{': '.join(inner)}}}"
    return {types.NoneType: "nil", bytes: "bin", typing.Any: "any"}.get(kind) or kind.__name__


def default_of(field):
    if field.required:
        return "–"
    if field.default_factory is not msgspec.NODEFAULT:
        return json.dumps(field.default_factory())
    if field.default == b"":
        return "empty"
    return "nil" if field.default is None else json.dumps(field.default)


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda structure: structure.__name__)
def test_the_specification_has_every_structure_with_its_fields_in_order(structure):
    number = structure.__struct_config__.tag
    title = structure.__name__ if number is None else f"{structure.__name__} ({number})"
    (section,) = re.findall(
        rf"^### {re.escape(title)}\n(.*?)(?=^##|\Z)", SPEC, re.MULTILINE | re.DOTALL
    )
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| .+ \|$", section, re.MULTILINE)
    fields = msgspec.structs.fields(structure)
    assert rows == [(field.name, spell(field.type), default_of(field)) for field in fields]


def test_the_specification_has_no_type_that_does_not_exist():
    titles = set(re.findall(r"^### (\w+)", SPEC, re.MULTILINE)) - {"Slots", "Twice"}
    assert titles == {structure.__name__ for structure in STRUCTURES}


def test_the_rules_are_numbered_and_name_each_other_rightly():
    rules = [int(number) for number in re.findall(r"^- \*\*W-(\d+)\*\*", SPEC, re.MULTILINE)]
    assert rules == sorted(set(rules))
    assert {int(number) for number in re.findall(r"W-(\d+)", SPEC)} == set(rules)


def test_the_specification_is_of_the_version_that_is_spoken():
    assert f"version {messages.PROTOCOL_VERSION}." in SPEC
    assert f"version of this format: {messages.PROTOCOL_VERSION}." in SPEC
