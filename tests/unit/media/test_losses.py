"""Accounts of losses, and the ledger that finds frames that never came."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sightline.media.losses import LossLog, PacketLedger


def test_nothing_lost_is_nothing_said():
    log = LossLog()
    log.frames_missing(0, 1.0)
    assert not log.losses
    assert log.losses.messages == []


def test_each_kind_of_loss_is_one_sentence_with_its_count_and_first_time():
    log = LossLog()
    log.packet_rejected(None)
    log.frame_damaged(2.5)
    log.frame_damaged(3.5)
    log.frames_missing(3, 1.25)
    log.frames_missing(2, 9.0)
    log.truncated("the file is truncated")
    losses = log.losses
    assert (losses.corrupt_packets, losses.corrupt_frames, losses.truncated) == (1, 7, True)
    assert losses.messages == [
        "1 packet was damaged",
        "2 frames were decoded with damage (first at 2.50 s)",
        "5 frames could not be decoded (first at 1.25 s)",
        "the file is truncated",
    ]


def test_messages_change_in_place():
    log = LossLog()
    messages = log.losses.messages
    log.packet_rejected(0.5)
    assert messages == ["1 packet was damaged (first at 0.50 s)"]


def run(ledger, sent, shown):
    """Send all packets, then show frames in order; return what was found missing, in order."""
    for pts in sent:
        ledger.sent(pts)
    return [ledger.shown(pts) for pts in shown]


def test_reordered_frames_are_not_missed():
    ledger = PacketLedger()
    assert run(ledger, [0, 40, 20, 10, 30], [0, 10, 20, 30, 40]) == [0] * 5
    assert ledger.rest() == 0


def test_an_overtaken_packet_is_missed_once():
    ledger = PacketLedger()
    assert run(ledger, [0, 10, 20, 30], [0, 20, 30]) == [0, 1, 0]
    assert ledger.rest() == 0


def test_packets_left_at_the_end_are_missed():
    ledger = PacketLedger()
    run(ledger, [0, 10, 20], [0])
    assert ledger.rest() == 2
    assert ledger.rest() == 0


def test_what_is_shown_before_the_first_frame_is_not_missed():
    ledger = PacketLedger()
    assert run(ledger, [0, 10, 60, 40, 50, 70], [60, 70]) == [0, 0]
    assert ledger.rest() == 0


def test_a_step_back_in_time_is_not_taken_for_missing_frames():
    ledger = PacketLedger()
    assert run(ledger, [1000, 1010, 0, 10], [1000, 1010, 0, 10]) == [0] * 4
    assert ledger.rest() == 0


def test_frames_and_packets_without_time_are_left_out():
    ledger = PacketLedger()
    ledger.sent(None)
    assert ledger.shown(None) == 0
    assert ledger.shown(77) == 0
    assert ledger.rest() == 0


@given(data=st.data(), count=st.integers(1, 40), delay=st.integers(0, 5))
def test_every_missing_frame_is_counted_exactly_once(data, count, delay):
    """A decoder that reorders by at most `delay` pictures, and leaves some of them out."""
    order = sorted(range(count), key=lambda i: i + data.draw(st.integers(0, delay)))
    lost = data.draw(st.sets(st.integers(1, count)))
    ledger = PacketLedger()
    held, missing = [], 0
    for pts in order:
        ledger.sent(pts)
        held.append(pts)
        if len(held) > delay:
            first = min(held)
            held.remove(first)
            missing += ledger.shown(first) if first not in lost else 0
    for pts in sorted(held):
        missing += ledger.shown(pts) if pts not in lost else 0
    missing += ledger.rest()
    assert missing == len({pts for pts in lost if pts < count})
