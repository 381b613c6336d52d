"""A graph that runs for long needs no more memory, files or segments than at the start."""

import os
import time

from tests.graph_stages import Count, Numbered, Read, Refuse, Renew
from tests.graph_witness import open_files, processes_of, resident_kib, segments_of, until
from tests.lengths import short_or_long

SECONDS = short_or_long(8, 60)


def footprint(run):
    pids = [os.getpid(), *processes_of(run, "").values()]
    return {
        "KiB": [resident_kib(pid) for pid in pids],
        "files": [open_files(pid) for pid in pids],
        "segments": segments_of(run),
    }


class Nowhere:
    """Takes frames of one stream, and keeps nothing."""

    def for_stream(self, stream):
        return Nowhere()

    def open(self, stream):
        pass

    def write(self, frame):
        pass

    def close(self):
        pass

    def discard(self):
        pass


def test_a_long_run_does_not_grow(graphs):
    run = graphs.start(
        [Renew(), Read(), Refuse(drop=10, fail=1000), Count()],
        [Numbered(name, 10**7, shape=(240, 320, 3)) for name in ("a", "b")],
        [Nowhere()],
        handlers=2,
    )
    started = time.monotonic()
    until(lambda: time.monotonic() - started > SECONDS / 3 and run.report.frames > 500)
    frames, before = run.report.frames, footprint(run)
    until(lambda: time.monotonic() - started > SECONDS and run.report.frames > 2 * frames)
    after = footprint(run)
    run.stop()

    print(f"{run.report.frames} frames; before {before}; after {after}")  # noqa: T201
    assert after["segments"] == before["segments"]
    assert after["files"] == before["files"]
    for kib_after, kib_before in zip(after["KiB"], before["KiB"], strict=True):
        assert kib_after < kib_before * 1.1 + 8 * 1024


def test_graphs_one_after_the_other_leave_no_file_open(graphs):
    def go():
        report = graphs.run([Renew(), Count()], [Numbered("a", 20), Numbered("b", 20)])
        assert report.complete

    go()
    before = open_files()
    for _ in range(8):
        go()
    until(lambda: open_files() <= before)
