"""What nodes say of frames that do not come back."""

from sightline.graph.node_meter import Silence


def lines(silence, seconds, *, waits=True, handlers=1):
    """Ask once a second; give what was said by second."""
    said = {s: silence.line(float(s), waits=waits, handlers=handlers) for s in seconds}
    return {s: line for s, line in said.items() if line is not None}


def test_silence_is_told_every_ten_seconds_with_its_length():
    assert lines(Silence(), range(100, 125)) == {
        110: "0.0 frames/s; nothing came back for 10 s: is the collector there?",
        120: "0.0 frames/s; nothing came back for 20 s: is the collector there?",
    }


def test_without_handlers_it_is_they_who_are_missing():
    assert lines(Silence(), range(15), handlers=0) == {
        10: "0.0 frames/s; nothing came back for 10 s: no handler is there"
    }


def test_nobody_is_missed_while_frames_come_back_or_none_are_out():
    silence = Silence()
    for start in range(0, 40, 8):
        assert lines(silence, range(start, start + 8)) == {}
        silence.end()
    assert lines(silence, range(40, 60), waits=False) == {}
    assert lines(silence, range(60, 69)) == {}
