"""A service in processes of its own, and both clients of it behind the same methods."""

import asyncio

import pytest
from tests.job_fixtures import street
from tests.serve_process import ServeProcess, VideoSite

from sightline import AsyncClient, Client

__all__ = ["street"]


class Awaited:
    """An `AsyncClient` whose methods are called without `await`; generators become lists."""

    def __init__(self, *arguments, **options):
        self._runner = asyncio.Runner()
        self._client = self._call(self._make, *arguments, **options)

    def __getattr__(self, name):
        method = getattr(self._client, name)

        def call(*arguments, **options):
            return self._call(method, *arguments, **options)

        return call

    def _call(self, method, *arguments, **options):
        async def within():
            made = method(*arguments, **options)
            return [item async for item in made] if hasattr(made, "__aiter__") else await made

        return self._runner.run(within())

    async def _make(self, *arguments, **options):
        return AsyncClient(*arguments, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._call(self._client.close)
        self._runner.close()


@pytest.fixture(scope="session")
def site(street):
    with VideoSite(street[0]) as site:
        yield site


@pytest.fixture(scope="session")
def served(tmp_path_factory, site):
    """A service that runs for all tests."""
    folder = tmp_path_factory.mktemp("served") / "data"
    with ServeProcess(folder, "--workers", "1", "--allow-network", site.at) as process:
        yield process


@pytest.fixture(params=[Client, Awaited], ids=["sync", "async"])
def connect(request):
    """Make a client that is closed at the end."""
    made = []

    def make(*arguments, **options):
        made.append(request.param(*arguments, **options).__enter__())
        return made[-1]

    yield make
    for client in made:
        client.__exit__(None, None, None)


@pytest.fixture
def client(connect, served):
    return connect(served.url)
