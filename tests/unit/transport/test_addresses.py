"""Addresses: what can be listened at, what can be connected to, and what is said otherwise."""

import pytest

from sightline.errors import LinkError
from sightline.transport.addresses import Address, Role, parse_address


@pytest.mark.parametrize(
    "text",
    [
        "bind:tcp://*:5557",
        "bind:tcp://127.0.0.1:0",
        "bind:tcp://eth0:*",
        "bind:tcp://[::]:5557",
        "connect:tcp://cam-1:5557",
        "connect:tcp://cam_1.street.example:65535",
        "connect:tcp://[fe80::1%eth0]:1",
        "bind:ipc:///run/user/1000/hub",
        "connect:ipc://hub with spaces",
        "bind:inproc://hub",
    ],
)
def test_an_address_is_read_and_written_alike(text):
    assert str(parse_address(text)) == text


def test_an_address_has_a_role_and_a_url():
    assert parse_address("connect:tcp://cam-1:5557") == Address(
        role=Role.CONNECT, url="tcp://cam-1:5557"
    )


@pytest.mark.parametrize("text", ["", "tcp://cam-1:5557", "listen:tcp://*:5557", "bind", "5557"])
def test_an_address_without_a_role_is_refused_with_an_example(text):
    with pytest.raises(LinkError, match="begin with bind: or connect:"):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("bind:", r"tcp://\*:5557"),
        ("connect:cam-1:5557", "tcp://cam-1:5557"),
        ("connect:http://cam-1:5557", "write tcp://HOST:PORT"),
        ("connect:tcp://cam-1", "write tcp://HOST:PORT"),
        ("connect:tcp://:5557", "write tcp://HOST:PORT"),
        ("connect:tcp://ann:secret@cam-1:5557/x", "write tcp://HOST:PORT"),
        ("connect:tcp://cam-1:5557\n", "write tcp://HOST:PORT"),
        ("bind:inproc://", "inproc://NAME"),
        ("bind:ipc://", "ipc://PATH"),
        ("bind:ipc:///run/\0hub", "ipc://PATH"),
        ("bind:tcp://*:65536", "from 1 to 65535"),
        ("connect:tcp://*:5557", "name the machine"),
        ("connect:tcp://cam-1:0", "name the port"),
        ("connect:tcp://cam-1:*", "name the port"),
        ("bind:ipc:///run/" + "x" * 103, "has 108 bytes"),
        ("bind:ipc:///run/" + "é" * 52, "has 109 bytes"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line_that_says_what_would(text, advice):
    with pytest.raises(LinkError, match=advice) as caught:
        parse_address(text)
    assert "\n" not in str(caught.value)
