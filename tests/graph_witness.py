"""What tests of the graph look at from outside: sinks that take notes, processes, segments."""

import multiprocessing.forkserver
import select
import time
from contextlib import suppress
from pathlib import Path

from tests.graph_stages import number_of

from sightline.testing.sink import ListSink
from sightline.transport.host import ProcessWatch
from sightline.transport.segment import segment_folder

PATIENCE_S = 60


class Notes:
    """Makes a sink for each stream; keeps of every frame its number, what it shows, its data."""

    def __init__(self):
        self.streams = {}

    def for_stream(self, stream):
        self.streams[stream.name] = sink = NotesSink()
        return sink

    def seqs(self, stream):
        return [seq for seq, _, _ in self.streams[stream].lines]

    def data(self, stream):
        return [data for _, _, data in self.streams[stream].lines]


class NotesSink:
    def __init__(self):
        self.lines = []
        self.is_open = False
        self.closed = 0

    def open(self, stream):
        self.is_open = True

    def write(self, frame):
        shown = number_of(frame.image)
        self.lines.append((frame.seq, shown, dict(frame.data)))

    def close(self):
        self.closed += 1
        self.is_open = False

    def discard(self):
        self.is_open = False


class ListSinks:
    """Makes a sink for each stream that keeps its frames as they are."""

    def __init__(self):
        self.streams = {}

    def for_stream(self, stream):
        self.streams[stream.name] = sink = ListSink()
        return sink


def until(condition, timeout_s=PATIENCE_S):
    """Wait until a condition holds; return what it returned."""
    deadline = time.monotonic() + timeout_s
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not happen within {timeout_s} s")
        time.sleep(0.005)
    return result


def is_dead(pid, timeout_s=PATIENCE_S):
    """Wait for the end of a process; return whether it came."""
    try:
        with ProcessWatch(pid) as watch:
            poll = select.poll()
            poll.register(watch, select.POLLIN)
            return bool(poll.poll(timeout_s * 1000))
    except ProcessLookupError:
        return True


def children_of(pid):
    """List the living children of a process."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            status = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(status[1]) == pid and status[0] not in "ZX":
                found.append(int(entry.name))
    return found


def graph_processes():
    """List the living processes of the graphs of this process."""
    server = multiprocessing.forkserver._forkserver._forkserver_pid
    return [] if server is None else children_of(server)


def processes_of(run, kind):
    """Return the processes of a running graph, by identity; `kind`: handler or feeder."""
    return {
        who.encode(): pid for who, pid in run.stats()["processes"].items() if who.startswith(kind)
    }


def segments_of(run):
    """List the segments of a graph with their sizes; one may go meanwhile."""
    sizes = {}
    for path in segment_folder().glob(run._directory.segment_prefix + "*"):
        with suppress(FileNotFoundError):
            sizes[path.name] = path.stat().st_size
    return sizes


def open_files(pid="self"):
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def resident_kib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)


def outcomes(report):
    """Count what became of the frames of a stream."""
    run = report.run
    return run.frames + sum(run.dropped.values()) + report.failures.total()
