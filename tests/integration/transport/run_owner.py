"""Owns a run with a socket and a segment, as a program of a user does, until it is killed."""

import sys
from pathlib import Path

import zmq

from sightline.transport.run_directory import RunDirectory
from sightline.transport.slot_pool import SlotPool

with RunDirectory.create(Path(sys.argv[1])) as run, SlotPool(run.segment_prefix, slots=2) as pool:
    pool.fit(1000)
    context = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    socket.bind(f"ipc://{run.socket_path('hub')}")
    slot = pool.acquire()
    pool.array(slot, (1000,))[...] = 7
    sys.stdout.write(f"{run.run_id} {slot.segment}\n")
    sys.stdout.flush()
    sys.stdin.read()
    context.destroy(linger=0)
