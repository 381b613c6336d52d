import json
import urllib.error
import urllib.request

import pytest

from sightline.broker.attendant import Signs
from sightline.broker.health import HealthServer, reasons_not_alive, reasons_not_ready
from sightline.errors import OutputError

WELL = {"loop_s": 99.0, "is_connected": True, "store_s": 95.0, "processes": 2}


def test_a_worker_that_is_well_is_alive_and_ready():
    assert reasons_not_alive(Signs(**WELL), 100.0) == []
    assert reasons_not_ready(Signs(**WELL), 100.0) == []


@pytest.mark.parametrize(
    ("sign", "value"),
    [("is_connected", False), ("store_s", 50.0), ("processes", 0), ("is_leaving", True)],
)
def test_what_keeps_a_worker_from_work_makes_it_not_ready_but_alive(sign, value):
    signs = Signs(**{**WELL, sign: value})
    assert len(reasons_not_ready(signs, 100.0)) == 1
    assert reasons_not_alive(signs, 100.0) == []


@pytest.mark.parametrize(("sign", "value"), [("loop_s", 10.0), ("is_stalled", True)])
def test_a_worker_that_hears_nothing_is_to_be_started_anew(sign, value):
    signs = Signs(**{**WELL, sign: value})
    assert len(reasons_not_alive(signs, 100.0)) == 1
    assert reasons_not_ready(signs, 100.0) == reasons_not_alive(signs, 100.0)


def test_a_worker_that_drains_need_not_listen():
    signs = Signs(**{**WELL, "loop_s": 10.0, "is_leaving": True})
    assert reasons_not_alive(signs, 100.0) == []


def test_it_answers_over_http():
    signs = Signs()
    with HealthServer(signs, host="127.0.0.1", port=0) as server:
        base = f"http://127.0.0.1:{server.port}"
        with pytest.raises(urllib.error.HTTPError) as refused, refused_body(f"{base}/readyz"):
            pass
        with refused.value:
            assert refused.value.code == 503
            assert json.load(refused.value)["status"] == "unavailable"
        with pytest.raises(urllib.error.HTTPError) as unknown, refused_body(f"{base}/else"):
            pass
        with unknown.value:
            assert unknown.value.code == 404
        with pytest.raises(OutputError, match="cannot listen"):
            HealthServer(signs, host="127.0.0.1", port=server.port)


def refused_body(url):
    return urllib.request.urlopen(url, timeout=30)
