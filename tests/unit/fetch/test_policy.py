"""Which addresses may be contacted."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.fetch.errors import FetchCode, FetchError
from sightline.fetch.policy import AddressPolicy, is_public
from sightline.fetch.url import parse_url


def resolving(*addresses):
    return lambda host, port: addresses


def assert_refused(policy, url):
    with pytest.raises(FetchError) as caught:
        policy.addresses(parse_url(url))
    assert caught.value.code is FetchCode.ADDRESS_REFUSED
    assert not caught.value.again
    return str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_an_address_that_is_not_public_is_refused(address):
    assert not is_public(ipaddress.ip_address(address))
    assert_refused(AddressPolicy(resolve=resolving(address)), "http://name.example/")
    literal = f"[{address}]" if ":" in address else address
    assert_refused(AddressPolicy(), f"http://{literal}/")


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::1.1.1.1", "2002:101:101::"],
)
def test_a_public_address_is_allowed(address):
    policy = AddressPolicy(resolve=resolving(address))
    assert policy.addresses(parse_url("http://name.example/")) == [ipaddress.ip_address(address)]


@given(st.ip_addresses())
def test_nothing_is_public_that_python_knows_to_be_not(address):
    embedded = [ipaddress.ip_network(network) for network in ("2002::/16", "64:ff9b::/96")]
    if is_public(address) and not any(address in network for network in embedded):
        assert address.is_global
        assert not address.is_multicast


def test_one_private_address_among_public_ones_refuses_the_name():
    policy = AddressPolicy(resolve=resolving("1.1.1.1", "10.0.0.1"))
    assert_refused(policy, "http://name.example/")


def test_unknown_and_private_names_are_refused_in_the_same_words():
    def unknown(host, port):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    inside = assert_refused(AddressPolicy(resolve=resolving("10.0.0.1")), "http://name.example/")
    assert inside == assert_refused(AddressPolicy(resolve=unknown), "http://name.example/")
    assert "10.0.0.1" not in inside


def test_a_name_that_cannot_be_resolved_now_may_be_tried_again():
    def failing(host, port):
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    with pytest.raises(FetchError) as caught:
        AddressPolicy(resolve=failing).addresses(parse_url("http://name.example/"))
    assert caught.value.code is FetchCode.UNREACHABLE
    assert caught.value.again


@pytest.mark.parametrize("entry", ["10.0.0.0/8", "10.0.0.1", "nas.example", ".example"])
def test_private_addresses_are_allowed_where_the_operator_says_so(entry):
    policy = AddressPolicy(private=(entry,), resolve=resolving("10.0.0.1"))
    assert policy.addresses(parse_url("http://nas.example/"))


def test_an_ipv4_network_is_meant_in_its_ipv6_forms_as_well():
    policy = AddressPolicy(private=("127.0.0.0/8",))
    assert policy.addresses(parse_url("http://[::ffff:127.0.0.1]/"))
    assert_refused(policy, "http://[::1]/")


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("10.0.0.1:8000", "http://10.0.0.1:8000/"),
        ("10.0.0.0/8:8000", "http://nas.example:8000/"),
        ("nas.example:8000", "http://nas.example:8000/"),
        (".example:8000", "http://nas.example:8000/"),
        ("[::1]:8000", "http://[::1]:8000/"),
        ("[fc00::/7]:8000", "http://[fd00::1]:8000/"),
    ],
)
def test_an_exception_with_a_port_allows_that_port_there_and_nothing_else(entry, url):
    policy = AddressPolicy(private=(entry,), resolve=resolving("10.0.0.1"))
    assert policy.addresses(parse_url(url))
    assert_refused(policy, url.replace(":8000", ""))
    assert_refused(policy, url.replace(":8000", ":8001"))
    assert_refused(policy, "http://192.168.0.1:8000/")


def test_an_exception_with_a_port_opens_it_nowhere_else():
    policy = AddressPolicy(private=("10.0.0.1:8000",), resolve=resolving("1.1.1.1"))
    assert_refused(policy, "http://public.example:8000/")
    assert policy.addresses(parse_url("http://public.example/"))


def test_a_trusted_name_does_not_make_others_trusted():
    policy = AddressPolicy(private=("nas.example",), resolve=resolving("10.0.0.1"))
    assert_refused(policy, "http://evil-nas.example/")
    assert_refused(policy, "http://sub.nas.example/")


def test_ports_are_those_of_the_web():
    policy = AddressPolicy(resolve=resolving("1.1.1.1"))
    assert_refused(policy, "http://name.example:22/")
    assert AddressPolicy(ports=None, resolve=resolving("1.1.1.1")).addresses(
        parse_url("http://name.example:22/")
    )


def test_plain_http_can_be_switched_off():
    policy = AddressPolicy(schemes=frozenset({"https"}), resolve=resolving("1.1.1.1"))
    assert_refused(policy, "http://name.example/")


def test_lists_of_hosts_allow_and_deny():
    policy = AddressPolicy(
        only_hosts=(".Example.org.",),
        denied_hosts=("bad.example.org",),
        resolve=resolving("1.1.1.1"),
    )
    assert policy.addresses(parse_url("http://a.example.org/"))
    assert policy.addresses(parse_url("http://EXAMPLE.org./"))
    assert_refused(policy, "http://notexample.org/")
    assert_refused(policy, "http://bad.example.org./")


def test_a_policy_that_makes_no_sense_is_a_value_error():
    with pytest.raises(ValueError, match="schemes"):
        AddressPolicy(schemes=frozenset({"ftp"}))
    with pytest.raises(ValueError, match="not a host"):
        AddressPolicy(denied_hosts=("a b",))
    with pytest.raises(ValueError, match="not a host"):
        AddressPolicy(private=("10.0.0.0/33",))
    with pytest.raises(ValueError, match="port"):
        AddressPolicy(private=("nas.example:70000",))
