"""A parent with a child that dies with it. Arguments: how to start the child, what it does."""

import ctypes
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

from sightline.transport.host import die_with_parent

C = ctypes.PyDLL(None)  # its functions are called without releasing the interpreter's lock


def live(pipe, task, stdin):
    if task == "asks late":
        pipe.send(os.getpid())
        os.read(stdin, 1)  # until the test has seen the end of the parent
    die_with_parent()
    pipe.send(os.getpid())
    if task == "outlives a thread":
        pipe.recv()
        pipe.send(os.getpid())
    if task == "holds the lock":
        C.pause()
    threading.Event().wait()


def start(method, task):
    """Start the child; return its process, and its process id once it is at work."""
    if method == "subprocess":
        code = (
            "from sightline.transport.host import die_with_parent; import os, threading;"
            "die_with_parent(); print(os.getpid(), flush=True); threading.Event().wait()"
        )
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        return child, int(child.stdout.readline())
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    # Multiprocessing takes standard input away from children; a forked one has the duplicate.
    child = context.Process(target=live, args=(theirs, task, os.dup(0)))
    if task != "outlives a thread":
        child.start()
        return child, ours.recv()
    thread = threading.Thread(target=lambda: (child.start(), theirs.close(), ours.recv()))
    thread.start()
    thread.join()
    while Path(f"/proc/self/task/{thread.native_id}").exists():  # until the kernel is done with it
        pass
    ours.send(None)
    return child, ours.recv()


if __name__ == "__main__":
    child, pid = start(*sys.argv[1:])
    sys.stdout.write(f"{pid}\n")
    sys.stdout.flush()
    threading.Event().wait()
