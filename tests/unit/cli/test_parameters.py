"""Reading settings, addresses and numbers from a command line."""

from pathlib import Path

import click
import pytest

from sightline.cli.parameters import (
    byte_count,
    handlers_or_auto,
    label_filter,
    listen_address,
    name_and_file,
    name_and_text,
    name_and_value,
    rate_or_native,
    worker_range,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("8080", ("127.0.0.1", 8080)),
        ("0", ("127.0.0.1", 0)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("cam-1:9100", ("cam-1", 9100)),
        ("[::1]:9100", ("::1", 9100)),
    ],
)
def test_an_address_is_a_port_or_a_host_with_a_port(text, address):
    assert listen_address(text) == address


@pytest.mark.parametrize("text", ["", "cam-1", ":80", "65536", "a:b:80", "-1", "80:", "a b:80"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(click.BadParameter, match="no port and no HOST:PORT"):
        listen_address(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("site=north", "site:north"),
        ("site:north", "site:north"),
        ("at=10:30", "at:10:30"),
        ("at:a=b", "at:a=b"),
        ("site=", "site:"),
    ],
)
def test_jobs_are_looked_for_by_a_label_in_either_form(text, wanted):
    assert label_filter(text) == wanted


@pytest.mark.parametrize("text", ["", "site", "=north", ":north", "a b=c"])
def test_what_is_no_label_is_refused_with_the_right_form(text):
    with pytest.raises(click.BadParameter, match="not of the form name=value"):
        label_filter(text)


def test_handlers_are_a_number_or_auto():
    assert handlers_or_auto("4") == 4
    assert handlers_or_auto("auto") == "auto"
    for text in ("0", "-1", "many", "1.5"):
        with pytest.raises(click.BadParameter):
            handlers_or_auto(text)


def test_a_rate_is_a_number_or_native():
    assert rate_or_native("12.5") == 12.5
    assert rate_or_native("native") == "native"
    with pytest.raises(click.BadParameter):
        rate_or_native("fast")


def test_values_are_read_as_yaml():
    assert name_and_value("confidence=0.4") == ("confidence", 0.4)
    assert name_and_value("max-age=[1, 2]") == ("max_age", [1, 2])
    assert name_and_value("word=[") == ("word", "[")
    for text in ("confidence", "=1"):
        with pytest.raises(click.BadParameter):
            name_and_value(text)


def test_a_name_and_a_text_are_taken_as_they_are():
    assert name_and_text("my-site=007=x") == ("my-site", "007=x")
    assert name_and_text("site=") == ("site", "")
    for text in ("site", "=north"):
        with pytest.raises(click.BadParameter):
            name_and_text(text)


def test_a_name_and_a_file():
    assert name_and_file("count=my/count.yaml") == ("count", Path("my/count.yaml"))


def test_bytes_are_a_number_with_a_unit():
    assert byte_count("500M") == 500 * 2**20
    assert byte_count("17") == 17
    for text in ("", "0", "0G", "-1", "20g", "20GB", "1e9", "many"):
        with pytest.raises(click.BadParameter, match="no number of bytes"):
            byte_count(text)


def test_workers_are_a_number_or_a_range():
    assert worker_range("1") == (1, 1)
    assert worker_range("2,8") == (2, 8)
    for text in ("", "0", "8,2", "2,", ",2", "1,2,3", "auto"):
        with pytest.raises(click.BadParameter, match="no number of workers"):
            worker_range(text)
