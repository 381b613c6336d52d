"""Tells web addresses that jobs have ended: from rows of the database, as Standard Webhooks.

    POST <webhook_url>
    webhook-id: msg_<delivery>          the same for every attempt; receivers drop repetitions by it
    webhook-timestamp: 1767225600       of the attempt
    webhook-signature: v1,<base64>      HMAC-SHA256 over "id.timestamp.body"; one per valid secret

    {"type":"job.succeeded","timestamp":"2026-01-01T00:00:00Z",
     "data":{"id":"<job>","status":"succeeded","link":"https://host/v1/jobs/<job>"}}

A row says when the next attempt is due; who takes it puts that off first, so that an attempt that
dies with its process is made again later: every delivery is made at least once, or given up after
the last attempt. Addresses are checked like those of videos (`sightline.fetch`); redirects are not
followed.

Nobody waits for the receivers of others: an owner has at most half of the threads of a process at
the same time, and a thread that is free goes to the owner with the fewest attempts under way. What
is due of an owner who has enough of them stays due.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import case, select, update
from standardwebhooks import Webhook

from sightline.fetch.errors import FetchError
from sightline.fetch.post import post
from sightline.jobs.sql import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Row, Select

    from sightline.fetch.policy import AddressPolicy
    from sightline.jobs.sql.database import Database
    from sightline.service.secret import ServerSecret

__all__ = ["Deliverer", "DeliveryPolicy", "signed_headers"]

_log = logging.getLogger(__name__)

_GONE = 410
_THREADS = 4
_THREADS_OF_ONE = _THREADS // 2
_TAKEN_S = 60.0
_JITTER = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPolicy:
    """How deliveries are made.

    Attributes:
        addresses: What may be contacted.
        base_url: Where clients find the service, without a slash at the end; "" if that is not
            known, and links begin with the path.
        delays_s: Waits between the attempts; after the last of them comes the last attempt.
        timeout_s: Of one attempt.
        idle_s: Look for due rows this often.
    """

    addresses: AddressPolicy
    base_url: str = ""
    delays_s: tuple[float, ...] = (5, 30, 150, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600)
    timeout_s: float = 15.0
    idle_s: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.timeout_s < _TAKEN_S:
            raise ValueError(f"timeout_s must be between 0 and {_TAKEN_S:g}, not {self.timeout_s}")


class Deliverer:
    """Makes the deliveries that are due, in threads, from `start()` to `stop()`.

    Args:
        database: Has the rows; the store adds one when a job with a webhook ends.
        secret: Gives the secrets of the owners.
        policy: How.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        secret: ServerSecret,
        *,
        policy: DeliveryPolicy,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._secret = secret
        self._policy = policy
        self._clock = clock
        self._taking = threading.Lock()
        self._under_way: list[str] = []  # the owner of every attempt that is being made
        self._wake = threading.Condition()
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._run, name=f"webhooks-{number}", daemon=True)
            for number in range(_THREADS)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look for due rows now rather than after `idle_s`."""
        with self._wake:
            self._wake.notify()

    def stop(self, *, timeout_s: float = 1.0) -> None:
        """End; attempts that are not over in time are made again by the next deliverer."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def deliver_next(self) -> bool:
        """Make one attempt that is due, if there is any; blocks until it is over.

        Returns:
            Whether there was one, of an owner who may have one more at the same time.
        """
        with self._taking:
            row = self._take()
            if row is None:
                return False
            self._under_way.append(row.owner)
        try:
            status, error = self._attempt(row)
            self._note(row, status, error)
        finally:
            with self._taking:
                self._under_way.remove(row.owner)
        return True

    def _run(self) -> None:
        while not self._stopping:
            try:
                busy = self.deliver_next()
            except Exception:  # noqa: BLE001 - boundary of the thread; it is logged
                _log.exception("webhook delivery failed")
                busy = False
            with self._wake:
                if not busy and not self._stopping:
                    self._wake.wait(self._policy.idle_s)

    def _take(self) -> Row[Any] | None:
        """Take the delivery whose turn it is, and count the attempt before it is made."""
        table = schema.deliveries
        now_s = self._clock()
        while True:
            with self._database.read() as connection:
                row = connection.execute(self._due(now_s)).first()
            if row is None:
                return None
            with self._database.write() as connection:
                # Unless another process has taken it meanwhile, or its job is gone.
                taken = connection.execute(
                    update(table)
                    .where(table.c.id == row.id, table.c.attempts == row.attempts)
                    .values(attempts=row.attempts + 1, next_at=now_s + _TAKEN_S)
                )
            if taken.rowcount:
                return row

    def _due(self, now_s: float) -> Select[Any]:
        """Ask for one that is due: of the owner with the fewest under way, due the longest."""
        table, owner = schema.deliveries, schema.jobs.c.owner
        due = select(table, owner).join_from(table, schema.jobs).where(table.c.next_at <= now_s)
        if under_way := Counter(self._under_way):
            full = [name for name, count in under_way.items() if count >= _THREADS_OF_ONE]
            due = due.where(owner.not_in(full)).order_by(case(under_way, value=owner, else_=0))
        return due.order_by(table.c.next_at).limit(1)

    def _attempt(self, row: Row[Any]) -> tuple[int | None, str | None]:
        """Send; return the status of the answer, or why there is none."""
        body = _body(row, self._policy.base_url)
        headers = signed_headers(
            f"msg_{row.id}",
            body,
            secrets=self._secret.webhook_secrets(row.owner),
            now_s=self._clock(),
        )
        policy = self._policy
        try:
            status = post(
                row.url,
                content=body,
                headers=headers,
                policy=policy.addresses,
                timeout_s=policy.timeout_s,
            )
        except FetchError as error:
            return None, str(error)
        return status, None if 200 <= status < 300 else f"the receiver answered {status}"

    def _note(self, row: Row[Any], status: int | None, error: str | None) -> None:
        table = schema.deliveries
        now_s = self._clock()
        next_at = None
        if error is not None:
            next_at = self._next_at(row.attempts, status, now_s)
            _log.warning(
                "webhook not delivered job=%s attempt=%d again=%s reason=%s",
                row.job_id,
                row.attempts + 1,
                next_at is not None,
                error,
            )
        with self._database.write() as connection:
            connection.execute(
                update(table)
                .where(table.c.id == row.id, table.c.attempts == row.attempts + 1)
                .values(
                    status=status,
                    last_error=error,
                    next_at=next_at,
                    done_at=now_s if error is None else None,
                )
            )

    def _next_at(self, attempts_before: int, status: int | None, now_s: float) -> float | None:
        """Tell when to try again; None: never, it was the last time or the receiver wants no more.

        Deliveries that failed together are spread a little.
        """
        delays_s = self._policy.delays_s
        if status == _GONE or attempts_before >= len(delays_s):
            return None
        spread = 1 + random.uniform(0, _JITTER)  # noqa: S311 - not for secrets
        return now_s + delays_s[attempts_before] * spread


def signed_headers(
    message_id: str, body: bytes, *, secrets: Sequence[str], now_s: float
) -> dict[str, str]:
    """Sign a message as Standard Webhooks has it.

    Args:
        message_id: Stays the same when the message is sent again.
        body: UTF-8.
        secrets: In the form "whsec_…"; the receiver needs one of them.
        now_s: When it is sent, seconds since 1970.

    Returns:
        The headers that go with it.
    """
    sent = datetime.fromtimestamp(int(now_s), UTC)
    signatures = [Webhook(secret).sign(message_id, sent, body.decode()) for secret in secrets]
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now_s)),
        "webhook-signature": " ".join(signatures),
    }


def _body(row: Row[Any], base_url: str) -> bytes:
    """Write the message; it is the same in every attempt."""
    ended = datetime.fromtimestamp(int(row.created_at), UTC)
    return msgspec.json.encode(
        {
            "type": row.event,
            "timestamp": ended.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "data": {
                "id": row.job_id,
                "status": row.event.removeprefix("job."),
                "link": f"{base_url}/v1/jobs/{row.job_id}",
            },
        }
    )
