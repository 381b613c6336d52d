"""How much processor time processes have used."""

import os
import time

from sightline.bench.processor_time import clocked_s


def test_the_clock_of_a_process_is_its_user_and_system_time():
    before = time.process_time()
    read = clocked_s([os.getpid()])
    assert before <= read <= time.process_time()
