import os
import time
from contextlib import closing

from tests.graph_witness import until

from sightline.broker.application import make_celery
from sightline.broker.attendant import Attendant, Office, Pool, Signs
from sightline.broker.options import BrokerOptions
from sightline.broker.wakeups import WakeUps
from sightline.jobs.files import Storage
from sightline.jobs.housekeeping import Housekeeper
from sightline.jobs.sql.database import Database
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.store import LeasePolicy
from sightline.jobs.worker_board import WorkerBoard, WorkerCard

HOUR_S = 3600.0
IDLE = Pool(pids=frozenset(), busy=0, received=0, is_connected=False)


def test_copies_of_deleted_jobs_go_though_the_clock_of_the_database_is_hours_behind(tmp_path):
    copies = Storage(tmp_path)
    folder = copies.job("deleted").folder
    folder.mkdir(parents=True)
    os.utime(folder, (time.time() - HOUR_S,) * 2)
    with Database(f"sqlite:///{tmp_path}/jobs.sqlite") as database:
        database.migrate()
        store = SqlJobStore(database)
        broker = BrokerOptions(url="redis://127.0.0.1:1/0")
        office = Office(
            store=store,
            board=WorkerBoard(database),
            wakeups=WakeUps(make_celery(broker), store),
            policy=LeasePolicy(),
            tidy=Housekeeper(store, copies).tidy,
            clock=lambda: time.time() - 2 * HOUR_S,
        )
        card = WorkerCard(
            name="w",
            host="h",
            pid=1,
            queues=(),
            slots=0,
            busy=0,
            lost=0,
            started_at=office.clock(),
            seen_at=office.clock(),
        )
        attendant = Attendant(office, card=card, look=lambda: IDLE, signs=Signs())
        with closing(attendant):
            attendant.start()
            until(lambda: not folder.exists(), 60)
