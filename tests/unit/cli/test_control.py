"""`sightline ps`, `stats` and the others: what they show of a run, and say where they cannot."""

from sightline.cli.control import _table

AGE = {"count": 9, "p50_ms": 12.34, "p95_ms": 45.6, "p99_ms": 78.9}
PROCESS = {"count": 9, "p50_ms": 8.04, "p95_ms": 9.99, "p99_ms": 20.2}


def stream(**latency):
    return {
        "frames": 9,
        "rate": 30.0,
        "drops": [{"stage": "dispatch", "reason": "stale", "frames": 2}],
        "failures": {"detect": 1},
        "restarts": 3,
        "latency": latency,
    }


def account(**streams):
    return {
        "phase": "running",
        "wall_s": 61.0,
        "handlers": 4,
        "handler_restarts": 1,
        "rate": 30.0,
        "streams": streams,
        "under_way": {"north": 5},
        "window": {"north": 6},
    }


def test_the_table_shows_every_hop_and_how_full_the_window_is():
    shown = _table(account(north=stream(process=PROCESS, age=AGE), south=stream())).splitlines()
    assert "4 handlers, 1 replaced" in shown[0]
    assert shown[2].split() == ["north", "9", "30.0", "5/6", "2", "1", "3"]
    assert shown[5] == "p50/p95/p99 in ms since the start"
    hops = ["stream", "admit", "wait", "process", "return", "order", "finish", "age"]
    assert shown[6].split() == hops
    assert shown[7].split() == ["north", "-", "-", "8.0/10/20", "-", "-", "-", "12/46/79"]
    assert shown[8].split() == ["south", "(over)", *"-------"]
