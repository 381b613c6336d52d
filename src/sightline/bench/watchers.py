"""Clients that watch jobs, many at a time, in a process of their own: pollers and event streams.

They speak just enough HTTP over plain connections, so that most of what is measured beside them is
the service.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sightline.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from multiprocessing.connection import Connection

__all__ = ["Audience", "Seen", "watched"]

_CONNECT_S = 30.0
_END_S = 30.0
_ARRIVAL_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who watches.

    Attributes:
        host: Of the service.
        port: Of the service.
        job_ids: What they watch, in turn; who has seen the end of one goes on to the next.
        pollers: Clients that ask for a job again and again, over one connection each.
        streams: Clients with an event stream each.
        every_s: Seconds from one question of a poller to its next; None: as long as the answer says
            (`Retry-After`). Within two seconds all clients arrive, one after the other; so do those
            that follow a job when it ends, at the next.
    """

    host: str
    port: int
    job_ids: Sequence[str]
    pollers: int = 200
    streams: int = 100
    every_s: float | None = None

    def from_job(self, number: int) -> Sequence[str]:
        """List the jobs, beginning with that of a client."""
        first = number % len(self.job_ids)
        return [*self.job_ids[first:], *self.job_ids[:first]]


@dataclass(slots=True)
class Seen:
    """What the audience saw.

    Attributes:
        latencies_s: Of every answer to a poller.
        events: That came over the streams.
        cpu_s: Processor time that the clients took themselves.
    """

    latencies_s: list[float] = field(default_factory=list)
    events: int = 0
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """What matters of the head of an answer.

    Attributes:
        length: Of the body in bytes; 0 if it has no end.
        retry_after_s: When to ask again; None if that makes no sense.
    """

    length: int
    retry_after_s: int | None


@contextmanager
def watched(audience: Audience) -> Iterator[Seen]:
    """Have jobs watched as long as the block runs; the result is complete after it.

    Raises:
        ServiceError: A client got a wrong answer, or none.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_main, args=(audience, there), daemon=True)
    process.start()
    there.close()
    seen = Seen()
    try:
        _receive(here, _CONNECT_S)
        yield seen
        here.send("end")
        result = _receive(here, _END_S)
        seen.latencies_s, seen.events, seen.cpu_s = result.latencies_s, result.events, result.cpu_s
    finally:
        process.kill()
        process.join()


def _receive(line: Connection, timeout_s: float) -> Seen:
    with suppress(EOFError):
        if line.poll(timeout_s) and isinstance(result := line.recv(), Seen):
            return result
    raise ServiceError("the clients of the benchmark did not get the answers that they expect")


def _main(audience: Audience, line: Connection) -> None:
    asyncio.run(_watch(audience, line))


async def _watch(audience: Audience, line: Connection) -> None:
    seen, loop = Seen(), asyncio.get_running_loop()
    begun_s = time.process_time()
    ended = asyncio.Event()
    loop.add_reader(line.fileno(), ended.set)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_poll(audience, number, seen)) for number in range(audience.pollers)
        ]
        tasks += [
            group.create_task(_follow(audience, number, seen)) for number in range(audience.streams)
        ]
        line.send(seen)
        await ended.wait()
        for task in tasks:
            task.cancel()
    seen.cpu_s = time.process_time() - begun_s
    line.send(seen)


async def _poll(audience: Audience, number: int, seen: Seen) -> None:
    await asyncio.sleep(_ARRIVAL_S * number / audience.pollers)
    async with _connection(audience) as (reader, writer):
        for job_id in audience.from_job(number):
            while True:
                begun = time.perf_counter()
                writer.write(_request(f"/v1/jobs/{job_id}"))
                head = await _read_head(reader)
                await reader.readexactly(head.length)
                seen.latencies_s.append(time.perf_counter() - begun)
                if head.retry_after_s is None:
                    break  # it is at its end
                every_s = audience.every_s or head.retry_after_s
                await asyncio.sleep(max(0.0, every_s + begun - time.perf_counter()))


async def _follow(audience: Audience, number: int, seen: Seen) -> None:
    for job_id in audience.from_job(number):
        await asyncio.sleep(_ARRIVAL_S * number / audience.streams)
        async with _connection(audience) as (reader, writer):
            writer.write(_request(f"/v1/jobs/{job_id}/events"))
            await _read_head(reader)
            while (line := await reader.readline()) != b"event: done\n":
                if not line:
                    raise ServiceError("an event stream ended before its job")
                seen.events += line.startswith(b"data:")


@asynccontextmanager
async def _connection(
    audience: Audience,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(audience.host, audience.port, limit=2**20)
    try:
        yield reader, writer
    finally:
        writer.close()


def _request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()


async def _read_head(reader: asyncio.StreamReader) -> _Head:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    status, _, rest = head.partition("\r\n")
    if " 200 " not in status:
        raise ServiceError(f"expected 200, got {status}")
    fields = dict(line.split(": ", 1) for line in rest.splitlines() if line)
    retry_after = fields.get("retry-after")
    return _Head(
        length=int(fields.get("content-length", 0)),
        retry_after_s=None if retry_after is None else int(retry_after),
    )
