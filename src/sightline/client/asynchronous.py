"""The client of a job service for asyncio; the same as `sync`, awaited."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from sightline.client import calls
from sightline.client.arrival import Arrival
from sightline.client.connection import DEFAULT_URL, connection_options, request_of, unreachable
from sightline.client.events import EventReader
from sightline.client.options import JobOptions
from sightline.client.sources import describe_source, open_video

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from os import PathLike
    from pathlib import Path
    from typing import Self

    import httpx

    from sightline.client.answers import RemoteJob
    from sightline.client.calls import Flow
    from sightline.errors import ServiceError

__all__ = ["AsyncClient"]

T = TypeVar("T")

_EVENTS_TIMEOUT_S = 60.0
"""The service sends something at least every 15 seconds, be it only a comment."""


class AsyncClient:
    """Submits videos to a job service from asyncio; see `Client` for what its methods do.

        async with sl.AsyncClient("http://127.0.0.1:8080") as client:
            job = await client.wait((await client.submit("street.mp4")).id)

    Args:
        url: Address of the service.
        key: A key of the service; None where it asks for none.
        on_wait: Told for how many seconds, and why, before every wait for a service that is away
            or busy.
        transport: Of httpx; to reach a service in the same process.

    Raises:
        ServiceError: From every method, if the service cannot be reached or refuses.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        key: str | None = None,
        on_wait: Callable[[float, str], Any] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        import httpx

        self._http = httpx.AsyncClient(**connection_options(url, key), transport=transport)
        self._on_wait = on_wait
        self._has_answered = False

    async def submit(
        self,
        video: str | PathLike[str],
        *,
        options: JobOptions | None = None,
        idempotency_key: str | None = None,
        on_upload: Callable[[int, int], Any] | None = None,
    ) -> RemoteJob:
        """Submit a video: an address that the service fetches, or a file here that is uploaded.

        Args:
            video: `http(s)://…`, or the path of a file.
            options: How to process it.
            idempotency_key: Submitting an address twice with the same key makes one job; a file,
                which is uploaded anew, is refused the second time.
            on_upload: Told the bytes sent and their final number.

        Returns:
            The job, queued.
        """
        body = (options or JobOptions()).as_json()
        described, path = describe_source(video)
        if path is not None:
            described["upload"] = await self._upload(path, on_upload)
        key = idempotency_key or str(uuid.uuid4())
        return await self._run(calls.submit({**described, **body}, idempotency_key=key))

    async def get(self, job_id: str) -> RemoteJob:
        """Ask for a job."""
        return await self._run(calls.one_job(job_id))

    async def wait(self, job_id: str) -> RemoteJob:
        """Wait until a job is in a terminal state."""
        return await self._run(calls.wait_for(job_id))

    async def jobs(self, **filters: Any) -> AsyncIterator[RemoteJob]:
        """List jobs, newest first, page by page as they are read.

        Args:
            filters: `status`, `label` ("name:value"), `q` (part of the name).
        """
        cursor: str | None = ""
        while cursor is not None:
            params = {**filters, "cursor": cursor} if cursor else filters
            page, cursor = await self._run(calls.list_jobs(params))
            for job in page:
                yield job

    async def events(self, job_id: str) -> AsyncIterator[RemoteJob]:
        """Follow a job: the job as it stands, and again whenever it changed, up to its end."""
        import httpx

        job = None
        while job is None or not job.terminal:
            headers = {"accept": "text/event-stream"}
            if job is not None:
                headers["last-event-id"] = str(job.version)
            reader = EventReader()
            with suppress(httpx.TransportError):
                async with self._stream(job_id, headers) as response:
                    async for data in response.aiter_bytes():
                        for job in reader.feed(data):
                            yield job
            if job is None or not job.terminal:
                known = -1 if job is None else job.version
                job = await self._run(calls.one_job(job_id, newer_than=max(known, 0)))
                if job.version > known:
                    yield job

    async def cancel(self, job_id: str) -> RemoteJob:
        """Cancel a job that has not ended."""
        return await self._run(calls.act(job_id, "cancel"))

    async def retry(self, job_id: str) -> RemoteJob:
        """Queue a failed or canceled job again; finished parts are kept."""
        return await self._run(calls.act(job_id, "retry"))

    async def delete(self, job_id: str) -> None:
        """Remove a job that has ended, with its video and results."""
        await self._run(calls.delete(job_id))

    async def results(self, job_id: str) -> list[dict[str, Any]]:
        """List the results of a job: format, name, size and address of each."""
        return await self._run(calls.list_results(job_id))

    async def download(
        self,
        job_id: str,
        format_name: str,
        to: str | PathLike[str],
        *,
        on_progress: Callable[[int, int | None], Any] | None = None,
    ) -> Path:
        """Download a result.

        Args:
            job_id: The job.
            format_name: As `results` names it, such as `mot`.
            to: The file to write; it appears when it is complete.
            on_progress: Told the bytes received and their final number, if known.

        Returns:
            The path of the file.
        """
        with Arrival(to, on_progress) as arrival:
            return await self._run(calls.download(job_id, format_name, arrival))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _upload(self, path: Path, on_upload: Callable[[int, int], Any] | None) -> str:
        with open_video(path) as file:
            size = path.stat().st_size
            flow = calls.upload(file, name=path.name, size=size)
            return await self._run(
                flow, lambda: on_upload(file.tell(), size) if on_upload else None
            )

    def _stream(self, job_id: str, headers: dict[str, str]) -> Any:
        return self._http.stream(
            "GET", f"/v1/jobs/{job_id}/events", headers=headers, timeout=_EVENTS_TIMEOUT_S
        )

    async def _run(self, flow: Flow[T], after_call: Callable[[], Any] = lambda: None) -> T:
        """Carry out a flow."""
        import httpx

        answer: httpx.Response | ServiceError | None = None
        while True:
            try:
                step = flow.send(answer)  # type: ignore[arg-type] # None starts a generator
            except StopIteration as end:
                result: T = end.value
                return result
            if isinstance(step, calls.Pause):
                if step.reason and self._on_wait is not None:
                    self._on_wait(step.seconds, step.reason)
                await asyncio.sleep(step.seconds)
                answer = None
                continue
            try:
                answer = await self._send(step)
            except httpx.HTTPError as error:
                answer = unreachable(self._http, error)
                if not self._has_answered and isinstance(error, httpx.ConnectError):
                    raise answer from error
            after_call()

    async def _send(self, call: calls.Call) -> httpx.Response:
        """Make a call; its answer is there as a whole, or has gone into the arrival of the call."""
        answer = await self._http.send(request_of(self._http, call), stream=True)
        self._has_answered = True
        async with aclosing(answer):
            if call.into is None or not answer.is_success:
                await answer.aread()
                return answer
            call.into.begin(answer)
            async for data in answer.aiter_bytes():
                call.into.take(data)
        return answer
