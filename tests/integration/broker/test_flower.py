"""Flower beside the workers, as an operator starts it."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress

from tests.broker_servers import free_port
from tests.job_service import until

from sightline.jobs.states import JobState


@contextmanager
def flower(broker):
    port = free_port()
    program = ["-m", "celery", "--app", "sightline.broker.entry", "flower", f"--port={port}"]
    variables = {"SIGHTLINE_BROKER_URL": broker, "FLOWER_UNAUTHENTICATED_API": "true"}
    process = subprocess.Popen(
        [sys.executable, *program, "--address=127.0.0.1"],
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def asked(address):
    with suppress(OSError), urllib.request.urlopen(address, timeout=60) as answer:
        return json.load(answer)
    return {}


def test_flower_shows_workers_and_what_they_do_and_takes_no_message_away(site, street):
    worker = site.worker("--events", concurrency=1)
    with flower(site.server.url) as address:
        until(lambda: asked(f"{address}/api/workers?refresh=1"))
        (name,) = asked(f"{address}/api/workers")
        assert name.startswith("sightline-")
        job_id = site.service.submit(street[0])
        assert site.service.wait(job_id).state is JobState.SUCCEEDED
        assert site.service.mot(job_id) == street[1]
        until(lambda: asked(f"{address}/api/tasks"))
        tasks = asked(f"{address}/api/tasks").values()
        assert {"sightline.work"} <= {task["name"] for task in tasks}
    assert worker.end() == 0
