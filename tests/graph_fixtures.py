"""Graphs that leave nothing behind, or the test fails."""

import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from tests.graph_witness import PATIENCE_S, graph_processes, is_dead

from sightline.errors import SightlineError
from sightline.graph.running import GraphRun
from sightline.pipeline.graph_options import GraphOptions
from sightline.pipeline.pipeline import Pipeline
from sightline.settings import Settings
from sightline.transport.segment import segment_folder


class Graphs:
    """Starts graphs whose sockets are in a folder of their own."""

    def __init__(self, base):
        self.base = base
        self.runs = []
        self._stack = ExitStack()

    def start(self, stages, sources, sinks=(), **options):
        """Start a graph; it is closed at the end of the test at the latest."""
        run = GraphRun(
            Pipeline(stages),
            sources,
            sinks,
            options=GraphOptions(**options),
            settings=Settings(runtime_dir=self.base),
        )
        self.runs.append(run)
        self._stack.callback(_close, run)
        return run

    def run(self, stages, sources, sinks=(), **options):
        """Run a graph to its end; return its report."""
        with self.start(stages, sources, sinks, **options) as run:
            assert run.wait(PATIENCE_S), f"it hangs: {run.stats()}"
        return run.report

    def close(self):
        self._stack.close()

    def check(self):
        """Fail if anything is left."""
        left = [pid for pid in graph_processes() if not is_dead(pid, 5)]
        assert left == []
        assert list(self.base.iterdir() if self.base.exists() else ()) == []
        for run in self.runs:
            assert list(segment_folder().glob(f"sightline-{run._directory.run_id}*")) == []


def _close(run):
    with suppress(SightlineError):  # a test that expects it has seen it
        run.close()


@pytest.fixture
def graphs(fork_server):
    with tempfile.TemporaryDirectory(prefix="sl-") as folder:
        started = Graphs(Path(folder, "runs"))
        try:
            yield started
        finally:
            started.close()
        started.check()
