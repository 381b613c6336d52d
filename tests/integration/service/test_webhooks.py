"""Webhooks from the database to a real receiver: signed, tried again, and nowhere else."""

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from sqlalchemy import select, text
from standardwebhooks import Webhook, WebhookVerificationError

from sightline.fetch.policy import AddressPolicy
from sightline.jobs.model import Job, JobSpec
from sightline.jobs.sql import schema
from sightline.jobs.sql.database import Database
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.store import LeasePolicy
from sightline.service.secret import ServerSecret, load_secret
from sightline.service.webhooks import Deliverer, DeliveryPolicy, signed_headers

OWNER = "owner-1"
LOCAL = AddressPolicy(ports=None, private=("127.0.0.1",))


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what it is sent; answers as `statuses` say, and then 204."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses = []
        self.received = []
        self.hold = threading.Event()
        self.hold.set()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, dict(self.headers), body))
        self.server.hold.wait(20)
        status = self.server.statuses.pop(0) if self.server.statuses else 204
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Clock:
    def __init__(self):
        self.now_s = time.time()

    def __call__(self):
        return self.now_s


@contextmanager
def receiving():
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.hold.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def receiver():
    with receiving() as server:
        yield server


@pytest.fixture
def tarpit():
    """A receiver that answers nothing until the end of the test."""
    with receiving() as server:
        server.hold.clear()
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request, tmp_path):
    """Where the rows are."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres_url")
    return f"sqlite:///{tmp_path / 'jobs.sqlite'}"


@pytest.fixture
def database(database_url):
    with Database(database_url) as database:
        database.migrate()
        yield database


@pytest.fixture
def secret(tmp_path):
    return load_secret(tmp_path)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make(database, secret, clock):
    def make_deliverer(**settings):
        policy = DeliveryPolicy(**{"addresses": LOCAL, "delays_s": (5.0, 30.0), **settings})
        return Deliverer(database, secret, policy=policy, clock=clock)

    return make_deliverer


def end_job(database, url, *, job_id="job-1", owner=OWNER):
    """Let a job with a webhook end, so that the store adds the delivery."""
    spec = JobSpec(
        source_name="a",
        source_url="http://a/b",
        pipeline="p",
        params={},
        definition={},
        outputs=(),
        webhook_url=url,
    )
    store = SqlJobStore(database)
    store.add(Job(id=job_id, owner=owner, spec=spec, created_at=time.time()))
    store.cancel(job_id, policy=LeasePolicy(), now_s=time.time() - 10)


def row(database):
    with database.read() as connection:
        return connection.execute(select(schema.deliveries)).one()


def test_the_receiver_learns_of_the_end_and_can_verify_it(receiver, database, make, secret):
    end_job(database, receiver.url)
    assert make(base_url="https://host").deliver_next()
    ((path, headers, body),) = receiver.received
    assert path == "/hook"
    message = Webhook(secret.webhook_secrets(OWNER)[0]).verify(body, headers)
    assert message["type"] == "job.canceled"
    assert message["data"] == {
        "id": "job-1",
        "status": "canceled",
        "link": "https://host/v1/jobs/job-1",
    }
    assert headers["Content-Type"] == "application/json"
    done = row(database)
    assert (done.attempts, done.status, done.next_at, done.last_error) == (1, 204, None, None)
    assert done.done_at is not None
    assert not make().deliver_next(), "once is enough"


def test_the_signature_is_the_owners_alone(receiver, database, make, secret):
    end_job(database, receiver.url)
    make().deliver_next()
    ((_, headers, body),) = receiver.received
    with pytest.raises(WebhookVerificationError):
        Webhook(secret.webhook_secrets("owner-2")[0]).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret.webhook_secrets(OWNER)[0]).verify(body + b" ", headers)


def test_a_message_that_is_sent_again_later_is_too_old(secret):
    key = secret.webhook_secrets(OWNER)[0]
    headers = signed_headers("msg_1", b"{}", secrets=[key], now_s=time.time() - 3600)
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(key).verify(b"{}", headers)
    moved = {**headers, "webhook-timestamp": str(int(time.time()))}
    with pytest.raises(WebhookVerificationError, match="No matching"):
        Webhook(key).verify(b"{}", moved)


def test_while_the_secret_is_replaced_both_verify():
    old, new = ServerSecret(current=b"a" * 32), ServerSecret(current=b"b" * 32, previous=b"a" * 32)
    headers = signed_headers("msg_1", b"{}", secrets=new.webhook_secrets(OWNER), now_s=time.time())
    for secret in (old, new):
        assert Webhook(secret.webhook_secrets(OWNER)[0]).verify(b"{}", headers) == {}


def test_what_fails_is_tried_again_with_the_same_id_and_body_after_longer_waits(
    receiver, database, make, clock
):
    receiver.statuses = [500, 404]
    end_job(database, receiver.url)
    assert make().deliver_next()
    assert row(database).last_error == "the receiver answered 500"
    assert 5.0 <= row(database).next_at - clock.now_s <= 5.5
    assert not make().deliver_next(), "it is not due yet"
    clock.now_s += 6.0
    assert make().deliver_next()
    assert 30.0 <= row(database).next_at - clock.now_s <= 33.0
    clock.now_s += 34.0
    assert make().deliver_next()
    assert row(database).done_at == clock.now_s
    assert len({headers["webhook-id"] for _, headers, _ in receiver.received}) == 1
    assert len({body for _, _, body in receiver.received}) == 1
    assert len({headers["webhook-timestamp"] for _, headers, _ in receiver.received}) == 3


def test_after_the_last_attempt_it_is_given_up(receiver, database, make, clock):
    receiver.statuses = [500] * 10
    end_job(database, receiver.url)
    for _ in range(3):
        assert make().deliver_next()
        clock.now_s += 100.0
    assert not make().deliver_next()
    given_up = row(database)
    assert (given_up.attempts, given_up.next_at, given_up.done_at) == (3, None, None)


def test_a_receiver_that_is_gone_is_left_alone(receiver, database, make):
    receiver.statuses = [410]
    end_job(database, receiver.url)
    make().deliver_next()
    assert (row(database).next_at, row(database).done_at, row(database).status) == (None, None, 410)


def test_a_redirect_is_not_followed(receiver, database, make):
    receiver.statuses = [302]
    end_job(database, receiver.url)
    make().deliver_next()
    assert [path for path, _, _ in receiver.received] == ["/hook"]
    assert row(database).status == 302
    assert row(database).next_at is not None


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/hook",
        "http://localhost:{port}/hook",
        "http://[::ffff:127.0.0.1]:{port}/hook",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
    ],
)
def test_a_private_address_gets_nothing(receiver, database, make, url):
    end_job(database, url.format(port=receiver.server_port))
    assert make(addresses=AddressPolicy(ports=None)).deliver_next()
    assert receiver.received == []
    refused = row(database)
    assert refused.status is None
    assert refused.last_error


def test_credentials_of_the_address_are_not_kept_in_the_error(database, make):
    end_job(database, "http://ann:hunter2@10.0.0.1/?token=hunter2")
    make().deliver_next()
    assert "hunter2" not in row(database).last_error


def test_the_webhook_of_a_deleted_job_is_not_sent(receiver, database, make):
    end_job(database, receiver.url)
    SqlJobStore(database).delete("job-1")
    assert not make().deliver_next()


def test_threads_deliver_everything_once(receiver, database, make):
    for number in range(20):
        end_job(database, receiver.url, job_id=f"job-{number}")
    deliverers = [make(idle_s=0.02) for _ in range(2)]
    for deliverer in deliverers:
        deliverer.start()
        deliverer.wake()
    deadline = time.monotonic() + 20
    while _open_deliveries(database):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for deliverer in deliverers:
        deliverer.stop()
    ids = [json.loads(body)["data"]["id"] for _, _, body in receiver.received]
    assert sorted(ids) == sorted(f"job-{number}" for number in range(20))


def test_an_address_that_never_answers_keeps_no_other_owner_waiting(
    receiver, tarpit, database, make
):
    """There are 20 deliveries to it, due earlier: with all threads, more than a minute of them."""
    for number in range(20):
        end_job(database, tarpit.url, job_id=f"stuck-{number}", owner="owner-2")
    end_job(database, receiver.url)
    deliverer = make(idle_s=0.02, timeout_s=50.0)
    deliverer.start()
    try:
        wait_until(lambda: receiver.received and len(tarpit.received) == 2)
        end_job(database, receiver.url, job_id="job-2")
        deliverer.wake()
        wait_until(lambda: len(receiver.received) == 2)
        assert len(tarpit.received) == 2, "half of the threads are left to others"
    finally:
        tarpit.hold.set()
        wait_until(lambda: not _open_deliveries(database))
        deliverer.stop(timeout_s=20.0)
    assert len(tarpit.received) == 20, "those that waited are made when there is room"


def test_who_has_fewer_deliveries_under_way_comes_first(receiver, tarpit, database, make):
    deliverer = make()
    for owner in ("owner-2", "owner-3"):
        for number in range(3):
            end_job(database, tarpit.url, job_id=f"{owner}-{number}", owner=owner)
    end_job(database, receiver.url)
    stuck = []
    for count in (1, 2):
        stuck.append(threading.Thread(target=deliverer.deliver_next))
        stuck[-1].start()
        wait_until(lambda count=count: len(tarpit.received) == count)
    owners = [json.loads(body)["data"]["id"][:-2] for _, _, body in tarpit.received]
    assert sorted(owners) == ["owner-2", "owner-3"]
    assert deliverer.deliver_next()
    assert len(receiver.received) == 1
    tarpit.hold.set()
    for thread in stuck:
        thread.join()
    while deliverer.deliver_next():
        pass
    assert len(tarpit.received) == 6


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_delivery_survives_the_death_of_its_process(
    receiver, database, make, clock, tmp_path, database_url
):
    receiver.hold.clear()
    end_job(database, receiver.url)
    process = subprocess.Popen([sys.executable, "-c", _DELIVER, str(tmp_path), database_url])
    deadline = time.monotonic() + 20
    while not receiver.received:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    receiver.hold.set()
    assert not make().deliver_next(), "it may still be on its way"
    clock.now_s += 120.0
    assert make().deliver_next()
    first, second = ((headers["webhook-id"], body) for _, headers, body in receiver.received)
    assert first == second
    assert row(database).done_at is not None


_DELIVER = """
import sys
from pathlib import Path
from sightline.fetch.policy import AddressPolicy
from sightline.jobs.sql.database import Database
from sightline.service.secret import load_secret
from sightline.service.webhooks import Deliverer, DeliveryPolicy

folder = Path(sys.argv[1])
policy = DeliveryPolicy(addresses=AddressPolicy(ports=None, private=("127.0.0.1",)))
database = Database(sys.argv[2])
Deliverer(database, load_secret(folder), policy=policy).deliver_next()
"""


def _open_deliveries(database):
    with database.read() as connection:
        return connection.execute(
            text("SELECT count(*) FROM deliveries WHERE done_at IS NULL")
        ).scalar_one()
