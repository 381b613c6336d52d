import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.service.rate_limit import Rate, RateLimiter, address_group

RATE = Rate(per_second=2.0, burst=3)


def test_a_bucket_gives_its_burst_and_then_its_rate():
    limiter = RateLimiter()
    assert [limiter.take("a", RATE, now_s=0.0).allowed for _ in range(4)] == [True] * 3 + [False]
    assert not limiter.take("a", RATE, now_s=0.4).allowed
    assert limiter.take("a", RATE, now_s=0.5).allowed


def test_who_waits_as_long_as_told_is_allowed():
    limiter = RateLimiter()
    for _ in range(3):
        limiter.take("a", RATE, now_s=0.0)
    refused = limiter.take("a", RATE, now_s=0.1)
    assert limiter.take("a", RATE, now_s=0.1 + refused.retry_after_s + 1e-9).allowed


def test_looking_takes_nothing():
    limiter = RateLimiter()
    assert all(limiter.take("a", RATE, now_s=0.0, tokens=0).allowed for _ in range(10))
    assert limiter.take("a", RATE, now_s=0.0).remaining == 2


def test_owners_do_not_share_a_bucket():
    limiter = RateLimiter()
    for _ in range(4):
        limiter.take("a", RATE, now_s=0.0)
    assert limiter.take("b", RATE, now_s=0.0).allowed


def test_the_number_of_buckets_is_bounded_and_those_in_use_stay():
    limiter = RateLimiter(most_buckets=10)
    for number in range(1000):
        limiter.take("steady", RATE, now_s=0.0)
        limiter.take(f"attacker {number}", RATE, now_s=0.0)
    assert len(limiter) == 10
    assert not limiter.take("steady", RATE, now_s=0.0).allowed


@given(st.lists(st.floats(0, 5), max_size=60))
def test_never_more_is_allowed_than_the_burst_and_what_was_gained(pauses):
    limiter = RateLimiter()
    now_s, allowed = 0.0, 0
    for pause in pauses:
        now_s += pause
        allowed += limiter.take("a", RATE, now_s=now_s).allowed
    assert allowed <= RATE.burst + RATE.per_second * now_s + 1e-6


def test_a_refusal_says_when_to_come_again():
    limiter = RateLimiter()
    rate = Rate.per_minute(6)
    for _ in range(6):
        limiter.take("a", rate, now_s=0.0)
    headers = limiter.take("a", rate, now_s=0.0).headers("submissions")
    assert headers["Retry-After"] == "10"
    assert headers["RateLimit-Policy"] == '"submissions";q=6;w=60'
    assert headers["RateLimit"] == '"submissions";r=0;t=10'


def test_all_addresses_of_one_network_count_as_one_client():
    assert address_group("2001:db8::1") == address_group("2001:db8::ffff:2")
    assert address_group("::ffff:192.0.2.1") == "192.0.2.1"


@pytest.mark.parametrize(("per_second", "burst"), [(0.0, 1), (1.0, 0), (float("nan"), 1)])
def test_a_rate_that_allows_nothing_is_refused(per_second, burst):
    with pytest.raises(ValueError, match="above 0"):
        Rate(per_second=per_second, burst=burst)
