"""Hosts an executor on a data folder until it is killed: `python -m tests.job_host FOLDER`."""

import sys
import threading
from pathlib import Path

from tests.job_service import JobService

from sightline.jobs.data_lock import DataFolderLock
from sightline.jobs.housekeeping import Housekeeper


def main():
    root = Path(sys.argv[1])
    with DataFolderLock(root):
        service = JobService(root)
        service.executor()
        with Housekeeper(service.store, service.storage, policy=service.policy):
            sys.stdout.write("started\n")
            sys.stdout.flush()
            threading.Event().wait()


if __name__ == "__main__":
    main()
