"""The service as a process: database, workers, housekeeping, webhooks, and HTTP before them."""

from __future__ import annotations

import resource
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from sightline.jobs.chunking import ChunkSizes
from sightline.jobs.crew_size import CrewSize
from sightline.jobs.data_lock import DataFolderLock
from sightline.jobs.files import Storage
from sightline.jobs.housekeeping import Housekeeper
from sightline.jobs.local_executor import LocalExecutor
from sightline.jobs.local_options import LocalOptions
from sightline.jobs.remote_artifacts import open_artifacts
from sightline.jobs.remote_tidy import RemoteTidier
from sightline.jobs.sql.database import Database, database_url
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.worker_board import WorkerBoard
from sightline.jobs.workplace import WorkOptions, open_workplace
from sightline.processors import usable_cores
from sightline.service.access import Access
from sightline.service.application import make_application
from sightline.service.auth import check_binding
from sightline.service.gate import GateSettings
from sightline.service.http_protocol import PatientProtocol
from sightline.service.keys import KeyStore
from sightline.service.offers import make_offers
from sightline.service.poll_pace import PollPace
from sightline.service.secret import load_secret
from sightline.service.services import Services
from sightline.service.uploads import UploadLimits, Uploads
from sightline.service.webhooks import Deliverer, DeliveryPolicy
from sightline.transport.run_directory import default_base
from sightline.transport.tcp_listener import listen_tcp, web_address

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from fastapi import FastAPI

    from sightline.jobs.executor import Executor
    from sightline.jobs.pipelines import Offers
    from sightline.service.events import Watcher
    from sightline.service.options import ServeOptions

__all__ = ["Server", "configuration", "serve"]

_DRAIN_S = 1.0
_GRACE_S = 1
_SPARE_CONNECTIONS = 1000
_POLLS_PER_CORE = 8.0
"""Questions about jobs per second and core: an answer takes some 2 ms of a core that is full of
other work, and the workers are to lose little by it."""
_EVENTS_PER_CORE = 40.0
"""Events of jobs that advance, likewise: one takes a quarter of a millisecond."""
_FREE_CORE = 10
"""How many times as much one core can do that has no workers beside it: they are elsewhere."""


def serve(options: ServeOptions, *, on_ready: Callable[[str], None] = lambda _: None) -> None:
    """Serve until SIGINT or SIGTERM; must be called by the main thread.

    Args:
        options: How the service is set up.
        on_ready: Told where a browser on this machine finds it, when it answers.

    Raises:
        FolderInUseError: Another service has the data folder.
        BindingError: It would be reachable by others without keys.
        OutputError: The address cannot be had.
        PipelineError: A pipeline file cannot be used.
        ModelError: A detector cannot be allowed.
        ArtifactError: The store of files cannot be used.
        MissingExtraError: It needs an extra that is not installed.
    """
    with ExitStack() as stack:
        stack.enter_context(DataFolderLock(options.data_dir))
        storage = _open_storage(options)
        stack.callback(storage.artifacts.close)
        database = _open_database(options)
        stack.callback(database.close)
        database.migrate()
        database.clock()  # having been asked once, it never fails
        local = check_binding(options.host, has_keys=KeyStore(database).any_active())
        listener = stack.enter_context(listen_tcp(options.host, options.port))
        services = _open(options, database, storage, local=local, stack=stack)
        application = make_application(services)
        server = Server(configuration(application, options), application.state.watcher)
        server.when_ready = partial(on_ready, web_address(listener))
        server.run([listener])


def _open_database(options: ServeOptions) -> Database:
    """Open the database for this process; its workers open it for themselves, without a limit."""
    settings = options.settings
    url = database_url(settings.database_url, options.data_dir)
    return Database(url, statement_timeout_s=settings.statement_timeout_s)


def _open_storage(options: ServeOptions) -> Storage:
    root = options.data_dir.absolute()
    artifacts = open_artifacts(options.artifacts, root, cache_bytes=options.cache_bytes)
    artifacts.check()
    return Storage(root, artifacts)


def _open(
    options: ServeOptions, database: Database, storage: Storage, *, local: bool, stack: ExitStack
) -> Services:
    """Open everything behind the application, and start what works by itself."""
    store, clock = SqlJobStore(database), database.clock
    secret = load_secret(options.data_dir)
    access = Access.over(
        database, store, secret=secret, local=local, queued_jobs=options.queued_jobs
    )
    limits = UploadLimits(upload_bytes=options.limits.max_bytes, free_bytes=options.free_bytes)
    uploads = Uploads(database, storage, limits=limits, clock=clock)
    offers = make_offers(options.detectors, options.pipelines, options.settings)
    executor = _executor(options, database, store, offers=offers)
    cores = usable_cores() if options.broker is None else _FREE_CORE
    policy = DeliveryPolicy(addresses=options.addresses, base_url=options.base_url)
    deliverer = Deliverer(database, secret, policy=policy, clock=clock)
    executor.start()
    stack.callback(executor.close, drain_s=_DRAIN_S)
    deliverer.start()
    stack.callback(deliverer.stop)
    chores = [uploads.expire]
    stack.enter_context(
        Housekeeper(store, storage, policy=options.policy, chores=chores, clock=clock)
    )
    stack.enter_context(RemoteTidier(store, storage, known_uploads=uploads.known))
    return Services(
        store=store,
        storage=storage,
        database=database,
        offers=offers,
        access=access,
        uploads=uploads,
        gate=GateSettings(names=options.names if local else None),
        watches=replace(options.watches, events_per_s=_EVENTS_PER_CORE * cores),
        polls=PollPace(per_second=_POLLS_PER_CORE * cores),
        free_bytes=options.free_bytes,
        policy=options.policy,
        executor=executor,
        runs=default_base(options.settings),
        clock=clock,
    )


def _executor(
    options: ServeOptions, database: Database, store: SqlJobStore, *, offers: Offers
) -> Executor:
    if options.broker is None:
        return _local_executor(options, database, store, offers=offers)
    from sightline.broker.application import make_celery
    from sightline.broker.executor import CeleryExecutor
    from sightline.broker.wakeups import WakeUps

    wakeups = WakeUps(make_celery(options.broker), store)
    return CeleryExecutor(wakeups, WorkerBoard(database), clock=database.clock)


def _local_executor(
    options: ServeOptions, database: Database, store: SqlJobStore, *, offers: Offers
) -> LocalExecutor:
    detect = options.workers or CrewSize(least=usable_cores(), most=usable_cores())
    work = WorkOptions(
        policy=options.policy,
        limits=options.limits,
        addresses=options.addresses,
        sizes=ChunkSizes(workers=detect.most),
        artifacts_url=options.artifacts,
        cache_bytes=options.cache_bytes,
    )
    url = database_url(options.settings.database_url, options.data_dir)
    open_one = partial(open_workplace, url, options.data_dir.absolute(), options=work)
    warm = offers.default.define({}, ()).definition
    local = LocalOptions(open_workplace=open_one, detect=detect, warm=warm)
    return LocalExecutor(store, local, policy=options.policy, clock=database.clock)


def configuration(application: FastAPI, options: ServeOptions) -> uvicorn.Config:
    """Set uvicorn up; raises the number of files that the process may open."""
    return uvicorn.Config(
        application,
        loop="asyncio",
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(options.trusted_proxies),
        forwarded_allow_ips=list(options.trusted_proxies),
        limit_concurrency=_connections(options.watches.total + _SPARE_CONNECTIONS),
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_GRACE_S,
    )


def _connections(wanted: int) -> int:
    """Ask for so many open files, and tell how many connections there can be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _SPARE_CONNECTIONS
    if soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return max(100, min(wanted, soft - _SPARE_CONNECTIONS))


class Server(uvicorn.Server):
    """Ends event streams first when it shuts down, and says when it answers.

    Args:
        config: See `configuration`.
        watcher: Of the application.

    Attributes:
        when_ready: Called when it answers.
    """

    def __init__(self, config: uvicorn.Config, watcher: Watcher) -> None:
        super().__init__(config)
        self.when_ready: Callable[[], None] = lambda: None
        self._watcher = watcher

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self.started:
            self.when_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End; those who wait for jobs are told first, or they would hold it up."""
        self._watcher.close()
        await super().shutdown(sockets)
