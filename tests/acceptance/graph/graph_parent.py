"""A program with a graph, to be killed. Arguments: the folder of runs, what its handlers do."""

import ctypes
import os
import sys
import time
from pathlib import Path

from tests.graph_stages import Numbered
from tests.graph_witness import children_of, graph_processes

from sightline import Pipeline, Settings, Stage
from sightline.graph.running import GraphRun
from sightline.pipeline.graph_options import GraphOptions

C = ctypes.PyDLL(None)  # its functions are called without releasing the interpreter's lock


class Busy(Stage):
    """Says that it has begun, and does not end."""

    def __init__(self, task, begun):
        self.task, self.begun = task, begun

    def process(self, frame):
        Path(self.begun, str(frame.seq)).touch()
        if self.task == "in C code":
            C.pause()
        if self.task == "asleep":
            time.sleep(1e6)
        return frame


if __name__ == "__main__":
    base, task = Path(sys.argv[1]), sys.argv[2]
    begun = base / "begun"
    with GraphRun(
        Pipeline([Busy(task, begun)]),
        [Numbered("a", 10_000_000)],
        options=GraphOptions(handlers=2),
        settings=Settings(runtime_dir=base / "runs"),
    ) as run:
        while len(list(begun.iterdir())) < 2:
            time.sleep(0.01)
        pids = [*children_of(os.getpid()), *graph_processes()]
        sys.stdout.write(f"{run._directory.run_id} {' '.join(map(str, pids))}\n")
        sys.stdout.flush()
        run.wait()
