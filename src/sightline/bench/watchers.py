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


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who watches.

    Attributes:
        host: Of the service.
        port: Of the service.
        job_ids: What they watch, in turn.
        pollers: Clients that ask for a job again and again, over one connection each.
        streams: Clients with an event stream each.
        every_s: Seconds from one question of a poller to its next; within the first of these, all
            clients arrive, one after the other.
    """

    host: str
    port: int
    job_ids: Sequence[str]
    pollers: int = 200
    streams: int = 100
    every_s: float = 2.0


@dataclass(slots=True)
class Seen:
    """What the audience saw.

    Attributes:
        latencies_s: Of every answer to a poller.
        events: That came over the streams.
    """

    latencies_s: list[float] = field(default_factory=list)
    events: int = 0


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
        seen.latencies_s, seen.events = result.latencies_s, result.events
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
    line.send(seen)


async def _poll(audience: Audience, number: int, seen: Seen) -> None:
    job_id = audience.job_ids[number % len(audience.job_ids)]
    await asyncio.sleep(audience.every_s * number / audience.pollers)
    async with _connection(audience) as (reader, writer):
        while True:
            begun = time.perf_counter()
            writer.write(_request(f"/v1/jobs/{job_id}"))
            await reader.readexactly(await _read_head(reader))
            seen.latencies_s.append(time.perf_counter() - begun)
            await asyncio.sleep(max(0.0, audience.every_s + begun - time.perf_counter()))


async def _follow(audience: Audience, number: int, seen: Seen) -> None:
    job_id = audience.job_ids[number % len(audience.job_ids)]
    await asyncio.sleep(audience.every_s * number / audience.streams)
    async with _connection(audience) as (reader, writer):
        writer.write(_request(f"/v1/jobs/{job_id}/events"))
        await _read_head(reader)
        while line := await reader.readline():
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


async def _read_head(reader: asyncio.StreamReader) -> int:
    """Read the head of an answer; return the length of its body, 0 if it has no end."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    status, _, rest = head.partition("\r\n")
    if " 200 " not in status:
        raise ServiceError(f"expected 200, got {status}")
    for name, _, value in (line.partition(":") for line in rest.splitlines()):
        if name == "content-length":
            return int(value)
    return 0
