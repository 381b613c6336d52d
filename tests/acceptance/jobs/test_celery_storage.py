"""Workers whose disk is full, and whose store of files is away."""

from urllib.parse import urlsplit

import pytest
from tests.chaos_site import ChaosSite
from tests.job_service import until
from tests.s3_server import S3Server
from tests.small_disk import Quota, SmallDisk, may_mount
from tests.tcp_gateway import TcpGateway

LITTLE = ("--keep-free", "100K")


@pytest.fixture
def disk(tmp_path):
    kind = SmallDisk if may_mount(tmp_path / "trial") else Quota
    with kind(tmp_path / "data") as made:
        yield made


@pytest.fixture
def bucket(monkeypatch):
    """A bucket, and the way to it."""
    server = S3Server()
    with TcpGateway(urlsplit(server.url).port) as gateway:
        there = {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{gateway.port}"}
        for name, value in {**server.environment, **there}.items():
            monkeypatch.setenv(name, value)
        yield server.bucket(), gateway
    server.close()


def test_a_disk_that_is_full_fails_jobs_that_succeed_when_they_are_tried_again(
    disk, redis, postgres, street, tmp_path, record_property
):
    with (
        postgres.database() as name,
        ChaosSite(
            tmp_path, street, broker=redis, database_url=postgres.url(name), serving=LITTLE
        ) as site,
    ):
        site.have_workers(2)
        job_ids = site.hold(2, leases=4)
        disk.fill(site.processes)
        assert site.ask().status_code == 507
        site.open()
        site.wait(job_ids)
        ended = {site.store.get(job_id).failure.code for job_id in job_ids}
        assert ended == {"storage-full"}
        disk.empty(site.processes)
        for job_id in job_ids:
            site.client.post(f"/v1/jobs/{job_id}/retry").raise_for_status()
        site.recover(job_ids + site.submit(1), record_property)


def test_a_store_of_files_that_is_away_for_a_while_costs_no_attempt(
    bucket, redis, postgres, street, tmp_path, record_property
):
    name, gateway = bucket
    with (
        postgres.database() as database,
        ChaosSite(
            tmp_path,
            street,
            broker=redis,
            database_url=postgres.url(database),
            options=("--artifacts", f"s3://{name}/jobs"),
        ) as site,
    ):
        workers = [site.worker("--data", str(tmp_path / f"machine-{n}")) for n in range(2)]
        job_ids = site.hold(2, leases=4)
        gateway.close()
        site.open()
        until(lambda: all("trying again" in worker.said() for worker in workers))
        assert site.ask().status_code == 503
        assert site.store.count(active=False) == len(job_ids)
        gateway.open()
        answer = until(lambda: (given := site.ask()).status_code == 202 and given)
        site.recover([*job_ids, answer.json()["id"]], record_property)
        assert set(site.attempts(job_ids)) == {1}
