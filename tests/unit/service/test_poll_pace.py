"""When clients that poll are told to ask again."""

import heapq

import pytest

from sightline.service.poll_pace import PollPace


def asked(pace, *, clients, wanted_s, seconds):
    """Let clients ask when they are told to; return the times of all questions."""
    due = [(number / clients, number) for number in range(clients)]
    times = []
    while due[0][0] < seconds:
        now_s, number = heapq.heappop(due)
        times.append(now_s)
        heapq.heappush(due, (now_s + pace.ask_again_s(wanted_s, now_s=now_s), number))
    return times


@pytest.mark.parametrize("clients", [1, 10, 20])
def test_few_clients_ask_as_often_as_is_right_for_their_job(clients):
    times = asked(PollPace(20.0), clients=clients, wanted_s=1, seconds=100)
    assert len(times) == 100 * clients


@pytest.mark.parametrize("clients", [50, 200, 300])
def test_many_clients_together_ask_no_more_often_than_they_may(clients):
    times = asked(PollPace(20.0), clients=clients, wanted_s=1, seconds=300)
    settled = [now_s for now_s in times if now_s >= 100]
    assert 0.75 * 20 * 200 <= len(settled) <= 1.05 * 20 * 200


def test_nobody_is_told_to_wait_longer_than_the_bound_because_of_others():
    times = asked(PollPace(20.0, longest_s=15), clients=2000, wanted_s=1, seconds=300)
    settled = [now_s for now_s in times if now_s >= 100]
    assert len(settled) == pytest.approx(2000 / 15 * 200, rel=0.1)


def test_what_is_right_for_a_job_is_never_shortened():
    pace = PollPace(20.0)
    assert {pace.ask_again_s(15, now_s=0.0) for _ in range(100)} == {15}


def test_when_the_crowd_has_gone_clients_may_ask_often_again():
    pace = PollPace(20.0)
    crowded = [pace.ask_again_s(1, now_s=0.0) for _ in range(200)][-1]
    assert (crowded, pace.ask_again_s(1, now_s=10.0)) == (10, 1)


def test_one_who_asks_without_end_delays_others_by_no_more_than_the_bound():
    pace = PollPace(20.0, longest_s=15)
    for _ in range(100_000):
        pace.ask_again_s(1, now_s=0.0)
    assert (pace.ask_again_s(1, now_s=0.0), pace.ask_again_s(1, now_s=14.5)) == (15, 1)
