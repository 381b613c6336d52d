"""Downloads by both clients from a server that is busy, refuses or breaks off."""

import pytest
from tests.integration.client.result_server import ResultServer

from sightline.errors import ServiceError

CONTENT = bytes(range(240))


@pytest.mark.parametrize("refusal", [(429, {}), (503, {"retry-after": "1"})], ids=["429", "503"])
def test_a_download_waits_for_a_busy_service_and_says_so(connect, tmp_path, refusal):
    told = []
    with ResultServer(CONTENT, refusals=[refusal]) as server:
        client = connect(server.url, on_wait=lambda *wait: told.append(wait))
        path = client.download("j1", "mot", tmp_path / "street.txt")
    assert path.read_bytes() == CONTENT
    first_s, second_s = server.asked_at_s
    ((wait_s, reason),) = told
    assert wait_s == float(refusal[1].get("retry-after", 0.25))
    assert reason
    assert second_s - first_s >= wait_s


def test_a_download_is_not_given_up_while_it_gets_on(connect, tmp_path):
    told = []
    with ResultServer(CONTENT, most_bytes=len(CONTENT) // 10) as server:
        path = connect(server.url).download(
            "j1", "mot", tmp_path / "street.txt", on_progress=lambda *both: told.append(both)
        )
    assert path.read_bytes() == CONTENT
    assert len(server.asked_at_s) == 10
    assert told == sorted(told), "nothing came twice"


@pytest.mark.parametrize("refusal", [(404, {}), (503, {"retry-after": "3600"})])
def test_a_download_that_is_refused_ends_at_once_and_leaves_no_file(connect, tmp_path, refusal):
    with ResultServer(CONTENT, refusals=[refusal]) as server, pytest.raises(ServiceError) as caught:
        connect(server.url).download("j1", "mot", tmp_path / "street.txt")
    assert caught.value.status == refusal[0]
    assert len(server.asked_at_s) == 1
    assert list(tmp_path.iterdir()) == []
