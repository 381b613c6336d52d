"""The account of a graph as Prometheus metrics."""

from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sightline import StreamInfo
from sightline.errors import GraphError
from sightline.graph.exposition import hops_and_drops, metric_families, metrics_text
from sightline.graph.modes import StreamPolicy
from sightline.graph.report import GraphReport, StreamReport
from sightline.graph.snapshots import Snapshots
from sightline.pipeline.report import RunReport


def account(name="north"):
    info = StreamInfo(name=name, width=4, height=4, time_base=Fraction(1, 25))
    run = RunReport(stream=info, frames=90, dropped={"dispatch: stale": 7, "filter": 2})
    stream = StreamReport(run=run, policy=StreamPolicy(), admitted=100, restarts=3)
    stream.failures = Counter({"detect": 1})
    for milliseconds in range(1, 91):
        stream.hops["age"].add(milliseconds / 1000)
    report = GraphReport(streams={name: stream}, handlers=4, handler_restarts=2, duplicates=5)
    return {**report.as_dict(), "under_way": {name: 6}, "window": {name: 12}, "queued": {name: 4}}


def samples(stats):
    found = {}
    for family in text_string_to_metric_families(metrics_text(stats)):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("frames_total", {"stream": "north"}, 90),
        ("admitted_total", {"stream": "north"}, 100),
        ("source_restarts_total", {"stream": "north"}, 3),
        ("dropped_total", {"stream": "north", "stage": "dispatch", "reason": "stale"}, 7),
        ("dropped_total", {"stream": "north", "stage": "filter", "reason": ""}, 2),
        ("failed_total", {"stream": "north", "stage": "detect"}, 1),
        ("handler_restarts_total", {}, 2),
        ("duplicates_total", {}, 5),
        ("handlers", {}, 4),
        ("in_flight_frames", {"stream": "north"}, 6),
        ("window_frames", {"stream": "north"}, 12),
        ("queued_works", {"stream": "north"}, 4),
        ("latency_seconds_count", {"stream": "north", "hop": "age"}, 90),
    ],
)
def test_every_figure_of_the_account_is_a_metric(name, labels, value):
    assert samples(account())[f"sightline_{name}", tuple(sorted(labels.items()))] == value


def test_latency_is_a_summary_in_seconds():
    found = samples(account())
    for quantile, seconds in (("0.5", 0.045), ("0.95", 0.086), ("0.99", 0.09)):
        labels = (("hop", "age"), ("quantile", quantile), ("stream", "north"))
        assert found["sightline_latency_seconds", labels] == pytest.approx(seconds, rel=0.06)
    total = found["sightline_latency_seconds_sum", (("hop", "age"), ("stream", "north"))]
    assert total == pytest.approx(sum(range(1, 91)) / 1000)


def test_names_of_streams_are_escaped():
    name = 'a"b\\c\nd'
    assert samples(account(name))["sightline_frames_total", (("stream", name),)] == 90


def test_a_graph_without_streams_has_metrics_too():
    found = samples({"streams": {}, "handlers": 2})
    assert found["sightline_handlers", ()] == 2


def test_a_page_gets_delays_of_late_by_hop_and_drops_by_stage():
    stats = account()
    stats["streams"]["north"]["latency"]["age"]["p50_ms"] = 9000
    shown = hops_and_drops(stats)["north"]
    assert shown["drops"] == {"dispatch": {"stale": 7}, "filter": {"": 2}}
    assert shown["hops"]["age"]["p50_ms"] == pytest.approx(45, rel=0.06)


def test_however_often_one_looks_the_graph_is_asked_rarely():
    asked = []
    snapshots = Snapshots(lambda: asked.append(1) or {"streams": {}})
    for _ in range(1000):
        snapshots()
    assert len(asked) < 100


def test_when_the_graph_is_over_the_last_account_remains():
    answers = iter([{"streams": {"a": 1}}])

    def take():
        for answer in answers:
            return answer
        raise GraphError("the graph is over")

    snapshots = Snapshots(take)
    assert snapshots() == {"streams": {"a": 1}}
    snapshots._next_s = 0
    assert snapshots() == {"streams": {"a": 1}}


def test_every_metric_is_in_the_reference():
    page = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"
    text = page.read_text(encoding="utf-8")
    for family in metric_families(account()):
        total = "_total" if family.type == "counter" else ""
        assert f"`{family.name}{total}`" in text
