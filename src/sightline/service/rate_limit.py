"""Token buckets: how often somebody may do something; in memory, and bounded there.

A bucket holds at most `burst` tokens, gains `per_second` of them, and a request takes one. Only
buckets that are not full are kept; if there are too many of those, the one that was used least
recently is forgotten, which is in favour of its client.
"""

from __future__ import annotations

import ipaddress
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass

__all__ = ["Rate", "RateLimiter", "Verdict", "address_group"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often.

    Attributes:
        per_second: Tokens that a bucket gains.
        burst: Tokens that a full bucket holds.
    """

    per_second: float
    burst: int

    def __post_init__(self) -> None:
        if not self.per_second > 0 or self.burst < 1:
            raise ValueError(f"a rate is above 0, with a burst of at least 1: {self}")

    @classmethod
    def per_minute(cls, count: int) -> Rate:
        """Give the rate of so many a minute, all of which may come at once.

        >>> Rate.per_minute(120)
        Rate(per_second=2.0, burst=120)
        """
        return cls(per_second=count / 60, burst=count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a request for a token.

    Attributes:
        allowed: There was one.
        rate: Of the bucket.
        remaining: Whole tokens that are left.
        retry_after_s: After how long there is one; 0 if it was allowed.
    """

    allowed: bool
    rate: Rate
    remaining: int
    retry_after_s: float = 0.0

    def headers(self, policy: str) -> dict[str, str]:
        """Write `Retry-After` (RFC 9110) and the RateLimit fields (IETF draft, version 11).

        Args:
            policy: Name of what is limited.

        >>> Verdict(allowed=False, rate=Rate.per_minute(6), remaining=0, retry_after_s=9.2).headers(
        ...     "submissions"
        ... )["Retry-After"]
        '10'
        """
        rate = self.rate
        window_s = math.ceil(rate.burst / rate.per_second)
        fields = {
            "RateLimit-Policy": f'"{policy}";q={rate.burst};w={window_s}',
            "RateLimit": f'"{policy}";r={self.remaining};t={math.ceil(self.retry_after_s)}',
        }
        if not self.allowed:
            fields["Retry-After"] = str(max(1, math.ceil(self.retry_after_s)))
        return fields


class RateLimiter:
    """One bucket per name; may be used by several threads.

    Args:
        most_buckets: Keep at most so many.
    """

    def __init__(self, *, most_buckets: int = 10_000) -> None:
        self._most_buckets = most_buckets
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, name: str, rate: Rate, *, now_s: float, tokens: int = 1) -> Verdict:
        """Take tokens out of the bucket of that name; 0: only look whether there is one.

        Args:
            name: Whose bucket.
            rate: Its rate; may differ from call to call.
            now_s: Seconds of a clock that never goes back.
            tokens: How many.
        """
        with self._lock:
            held, since = self._buckets.pop(name, (float(rate.burst), now_s))
            held = min(float(rate.burst), held + (now_s - since) * rate.per_second)
            needed = max(1, tokens)
            allowed = held >= needed
            if allowed:
                held -= tokens
            if held < rate.burst:
                self._buckets[name] = (held, now_s)
                if len(self._buckets) > self._most_buckets:
                    self._buckets.popitem(last=False)
        wait_s = 0.0 if allowed else (needed - held) / rate.per_second
        return Verdict(allowed=allowed, rate=rate, remaining=int(held), retry_after_s=wait_s)


def address_group(address: str) -> str:
    """Give what stands for a client in limits: its address, or the /64 network of an IPv6 one.

    >>> address_group("2001:db8:1:2:3:4:5:6"), address_group("192.0.2.1"), address_group("")
    ('2001:db8:1:2::/64', '192.0.2.1', '')
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
