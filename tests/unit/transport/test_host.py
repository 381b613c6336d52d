import os
import select
import signal
import subprocess
import sys

import pytest

from sightline.transport.host import ProcessWatch, host_id


def is_readable(watch, timeout_s):
    poll = select.poll()
    poll.register(watch, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


@pytest.fixture
def process():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_all_processes_of_a_machine_give_it_the_same_name():
    code = "from sightline.transport.host import host_id; print(host_id())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert other.stdout.strip() == host_id()


def test_the_name_of_a_machine_says_which_user_may_share_memory():
    assert host_id().endswith(f"-{os.geteuid()}")


def test_a_watch_is_readable_once_its_process_is_dead(process):
    with ProcessWatch(process.pid) as watch:
        assert not is_readable(watch, 0)

        process.send_signal(signal.SIGKILL)

        assert is_readable(watch, 30)


def test_a_process_that_ended_but_was_not_waited_for_is_dead(process):
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    with ProcessWatch(process.pid) as watch:
        assert is_readable(watch, 0)


def test_a_process_that_is_gone_cannot_be_watched(process):
    process.kill()
    process.wait()

    with pytest.raises(ProcessLookupError):
        ProcessWatch(process.pid)


def test_a_watch_that_is_closed_holds_no_descriptor(process):
    watch = ProcessWatch(process.pid)
    descriptor = watch.fileno()
    watch.close()
    watch.close()

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
