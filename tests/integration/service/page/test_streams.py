"""The page of the real-time graphs that run on the machine."""

import dataclasses

import pytest
from axe_playwright_python.sync_playwright import Axe
from tests.graph_fixtures import graphs  # noqa: F401 - a fixture
from tests.graph_stages import Numbered, Read
from tests.integration.service.served import make_services

from sightline import StreamSpec


@pytest.fixture
def services(tmp_path, graphs):  # noqa: F811 - the fixture
    """Services that look for graphs where those of the test are."""
    services = make_services(tmp_path)
    yield dataclasses.replace(services, runs=graphs.base)
    services.database.close()


def test_streams_that_run_are_shown_and_go_when_they_end(page, graphs):  # noqa: F811
    page.goto("/streams")
    page.get_by_text("No real-time graph runs on this machine.").wait_for()
    sources = [StreamSpec(Numbered(name, 100_000), name=name, rate=50) for name in ("gate", "dock")]
    with graphs.start([Read()], sources, handlers=1) as run:
        table = page.get_by_role("table", name=f"Streams of graph {run._directory.run_id}")
        for name in ("gate", "dock"):
            row = table.get_by_role("row", name=name)
            row.get_by_text("Live", exact=True).wait_for()
            assert row.get_by_role("rowheader").inner_text() == name
        page.get_by_text("1 graph, 2 streams").wait_for()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            for width in (1440, 360):
                page.set_viewport_size({"width": width, "height": 900})
                result = Axe().run(page)
                assert result.violations_count == 0, result.generate_report()
                assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_text("No real-time graph runs on this machine.").wait_for()
