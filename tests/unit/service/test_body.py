import asyncio

import pytest

from sightline.service.body import BodyCutError, Pace, read_whole, replayed
from sightline.service.problems import ProblemError


def receive_of(*messages):
    rest = list(messages)

    async def receive():
        if not rest:
            await asyncio.Event().wait()
        return rest.pop(0)

    return receive


def piece(body, *, more=True):
    return {"type": "http.request", "body": body, "more_body": more}


def read(receive, *, limit=100, pace=None):
    return asyncio.run(read_whole(receive, pace or Pace(), limit=limit))


def test_a_body_is_read_to_its_end():
    assert read(receive_of(piece(b"ab"), piece(b""), piece(b"c", more=False))) == b"abc"


def test_a_body_beyond_the_limit_is_refused_before_its_end():
    with pytest.raises(ProblemError) as caught:
        read(receive_of(piece(b"x" * 101)))
    assert caught.value.status == 413


def test_a_client_that_sends_nothing_is_not_waited_for():
    with pytest.raises(ProblemError) as caught:
        read(receive_of(piece(b"x")), pace=Pace(pause_s=0.01))
    assert caught.value.status == 408


def test_a_client_that_is_gone_ends_the_reading():
    with pytest.raises(BodyCutError):
        read(receive_of(piece(b"x"), {"type": "http.disconnect"}))


def test_the_deadline_follows_pause_rate_and_total():
    pace = Pace(pause_s=10.0, bytes_per_s=100.0)
    assert pace.deadline(0.0, 0.0, arrived=0) == 10.0
    assert pace.deadline(0.0, 5.0, arrived=100_000) == 15.0
    assert pace.deadline(0.0, 9.0, arrived=200) == 12.0
    assert Pace(pause_s=10.0, total_s=12.0).deadline(0.0, 9.0, arrived=10**9) == 12.0


def test_one_byte_every_few_seconds_is_not_enough():
    pace = Pace(pause_s=10.0, bytes_per_s=100.0)
    now_s, arrived = 0.0, 0
    while now_s <= pace.deadline(0.0, now_s, arrived=arrived):
        now_s += 9.0
        arrived += 1
        assert now_s < 30.0, "the deadline must come"


def test_a_body_that_was_read_can_be_read_again():
    receive = replayed(b"abc", receive_of({"type": "http.disconnect"}))
    assert read(receive) == b"abc"
    assert asyncio.run(receive())["type"] == "http.disconnect"
