"""The HTTP interface of the job service, put together: routes, errors, headers, the document.

How it is served, and who does the jobs, is not its business.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
from fastapi import FastAPI

from sightline.service.events import Watcher
from sightline.service.gate import Gate
from sightline.service.headers import HeadAsGet, Headers
from sightline.service.known_jobs import KnownJobs
from sightline.service.metrics import Measured, Metrics
from sightline.service.openapi import describe
from sightline.service.presentation import present_job
from sightline.service.problems import add_problem_handlers
from sightline.service.routes import (
    downloads,
    jobs,
    operation,
    page,
    pipelines,
    results,
    short_form,
    streams,
    submit,
)
from sightline.service.sessions import session_router
from sightline.service.tus import tus_router

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fastapi import APIRouter

    from sightline.jobs.model import Job
    from sightline.service.services import Services

__all__ = ["make_application"]


def make_application(services: Services) -> FastAPI:
    """Make the ASGI application; its lifespan must run, or nobody is woken who waits for a job.

    `application.state.watcher` ends event streams when it is closed, as a server must do first when
    it shuts down.
    """
    application = FastAPI(
        title="Sightline", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_watch
    )
    application.router.redirect_slashes = False
    watcher = Watcher(
        services.store,
        _renderer(services),
        limits=services.watches,
        still_known=services.access.authenticator.still_known,
    )
    metrics = Metrics(services, watcher)
    application.state.services = services
    application.state.watcher = watcher
    application.state.known_jobs = KnownJobs(services.store)
    application.state.metrics = metrics
    for router in _routers(services):
        application.include_router(router)
    add_problem_handlers(application)
    application.add_middleware(HeadAsGet)
    application.add_middleware(Measured, metrics=metrics)
    application.add_middleware(
        Gate, authenticator=services.access.authenticator, settings=services.gate
    )
    application.add_middleware(Headers)
    document = describe(application, services.offers)
    application.openapi = lambda: document  # type: ignore[method-assign]
    return application


def _routers(services: Services) -> tuple[APIRouter, ...]:
    access = services.access
    return (
        submit.router,
        jobs.router,
        results.router,
        downloads.router,
        pipelines.router,
        streams.router,
        short_form.router,
        tus_router(services.uploads, access.authenticator),
        session_router(access.authenticator, access.cookies, access.secret, clock=services.clock),
        operation.router,
        page.router,
    )


@asynccontextmanager
async def _watch(application: FastAPI) -> AsyncIterator[None]:
    watcher: Watcher = application.state.watcher
    task = asyncio.create_task(watcher.run())
    try:
        yield
    finally:
        watcher.close()
        await task


def _renderer(services: Services) -> Callable[[Job, int | None], bytes]:
    def render(job: Job, queue_position: int | None) -> bytes:
        shown = present_job(job, queue_position=queue_position, now_s=services.clock())
        return msgspec.json.encode(shown)

    return render
