"""The sinks of the live view, as far as they need neither network nor display."""

import sys

import pytest

from sightline.errors import MissingExtraError
from sightline.live.web import Web
from sightline.live.window import Window
from sightline.sinks.sink import Sink, StreamSinks


@pytest.fixture(params=[Web, Window])
def sink(request):
    return request.param()


def test_it_is_a_sink_of_one_stream_and_makes_sinks_of_more(sink, stream):
    assert isinstance(sink, Sink)
    assert isinstance(sink, StreamSinks)
    assert isinstance(sink.for_stream(stream), Sink)
    assert sink.for_stream(stream) is not sink


def test_closing_what_was_never_opened_does_nothing(sink, stream):
    for one in (sink, sink.for_stream(stream)):
        one.close()
        one.discard()
        one.close()


def test_writing_to_a_closed_sink_is_an_error(sink, stream, make_frame):
    for one in (sink, sink.for_stream(stream)):
        with pytest.raises(RuntimeError, match="is not open"):
            one.write(make_frame(0))


def test_a_page_that_is_not_served_has_no_address():
    assert Web().address is None


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_does_not_exist_is_refused(port):
    with pytest.raises(ValueError, match=f"port must be from 0 to 65535, but is {port}"):
        Web(port)


def test_without_the_extra_the_error_names_it(monkeypatch, stream):
    monkeypatch.delitem(sys.modules, "sightline.live.server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtraError, match=r"sl\.Web needs .* 'sightline\[web\]'"):
        Web(0).open(stream)
