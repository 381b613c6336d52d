"""Waking a thread, whoever does it and how often."""

import os
import select
import threading
import time

import pytest

from sightline.transport.wakeup import Wakeup


@pytest.fixture
def wakeup():
    wakeup = Wakeup()
    yield wakeup
    wakeup.close()


def is_readable(wakeup):
    return bool(select.select([wakeup.fd], [], [], 0)[0])


def test_it_is_readable_from_set_to_clear_however_often_it_is_set(wakeup):
    assert not is_readable(wakeup)
    for _ in range(1000):
        wakeup.set()
    assert is_readable(wakeup)
    wakeup.clear()
    assert not is_readable(wakeup)
    wakeup.clear()


def test_many_threads_neither_lose_a_call_nor_leave_it_set_for_ever(wakeup):
    calls, seen = [], []
    rounds = 2000

    def work():
        for number in range(rounds):
            calls.append(number)
            wakeup.set()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while len(seen) < 4 * rounds:
        assert select.select([wakeup.fd], [], [], 60)[0]
        wakeup.clear()
        while calls:
            seen.append(calls.pop())
    for thread in threads:
        thread.join()
    wakeup.clear()

    assert not is_readable(wakeup)


def test_who_is_woken_can_go_back_to_sleep_before_the_other_thread_goes_on(wakeup, monkeypatch):
    """The write lets other threads run; who is woken by it would turn round and round."""
    write = os.write

    def write_and_be_overtaken(fd, data):
        write(fd, data)
        time.sleep(0.2)

    monkeypatch.setattr(os, "write", write_and_be_overtaken)
    thread = threading.Thread(target=wakeup.set)
    thread.start()
    assert select.select([wakeup.fd], [], [], 60)[0]
    wakeup.clear()
    assert not is_readable(wakeup)
    thread.join()


def test_it_may_be_set_after_it_was_closed():
    wakeup = Wakeup()
    wakeup.close()

    wakeup.set()
