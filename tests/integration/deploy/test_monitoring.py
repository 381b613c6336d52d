"""Prometheus, its alerts, and the dashboard: what they ask for is what the service tells."""

import itertools
import re

import pytest
import yaml
from tests.deployment import DASHBOARD, DEPLOY, PROMETHEUS, ROOT, panels, program, run

ALERTS = PROMETHEUS / "alerts.yml"
HISTOGRAM = {"_bucket": {"le"}, "_count": set(), "_sum": set()}
OF_PROMETHEUS = {"up": {"job", "instance"}}


def documented():
    """Give the labels of every metric of a job service in the reference."""
    text = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(sightline_\w+)` \| (\w+) \|([^|]*)\|", text, re.MULTILINE)
    there = dict(OF_PROMETHEUS)
    for name, kind, labels in rows:
        given = set(re.findall(r"`(\w+)`", labels))
        endings = HISTOGRAM if kind == "histogram" else {"": set()}
        there |= {name + ending: given | more for ending, more in endings.items()}
    return there


def rules():
    return yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]


def scaling_queries(plain):
    for thing in plain:
        if thing["kind"] == "ScaledObject":
            yield thing["spec"]["triggers"][0]["metadata"]["query"]


@pytest.fixture(scope="module")
def queries(plain):
    found = [target["expr"] for panel in panels() for target in panel["targets"]]
    found += [rule["expr"] for rule in rules()]
    found += scaling_queries(plain)
    assert len(found) > 15
    return found


@pytest.fixture(scope="module")
def promtool(missing):
    return program("promtool", missing)


def test_queries_name_only_metrics_that_there_are(queries):
    there = documented()
    for query in queries:
        names = set(re.findall(r"\b(?:sightline_\w+|up)\b", query))
        assert names
        assert names <= set(there), query


def test_queries_name_only_labels_that_those_metrics_have(queries):
    there = documented()
    for query in queries:
        labels = set().union(*(there[n] for n in re.findall(r"\b(?:sightline_\w+|up)\b", query)))
        asked = re.findall(r"by \(([^)]*)\)", query)
        named = {word.strip() for group in asked for word in group.split(",")}
        named |= set(re.findall(r"(\w+)(?:=|=~|!=)\"", query))
        assert named <= labels, query


def test_the_service_tells_every_documented_metric():
    source = (ROOT / "src" / "sightline" / "service" / "metrics.py").read_text(encoding="utf-8")
    written = set(re.findall(r'"(sightline_\w+)"', source))
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    section = page.partition("## Of a job service")[2]
    named = set(re.findall(r"^\| `(sightline_\w+)`", section, re.MULTILINE))
    assert named == {n + "_total" if n == "sightline_worker_restarts" else n for n in written}


def test_queries_are_valid(queries, promtool, tmp_path):
    file = tmp_path / "rules.yml"
    recorded = [
        {"record": f"query:{number}", "expr": query.replace("$__rate_interval", "1m")}
        for number, query in enumerate(queries)
    ]
    file.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": recorded}]}))
    done = run(promtool, "check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_of_prometheus_is_valid(promtool):
    done = run(promtool, "check", "config", "--syntax-only", PROMETHEUS / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    done = run(promtool, "check", "rules", ALERTS)
    assert done.returncode == 0, done.stdout + done.stderr


def outstanding(queue, state, values, *, instance="api"):
    labels = f'queue="{queue}",kind="chunk",state="{state}",instance="{instance}"'
    return {"series": f"sightline_tasks_outstanding{{{labels}}}", "values": values}


def evaluate(promtool, folder, series, expression, expected):
    """Let Prometheus compute an expression after half an hour of these series, and compare it."""
    (folder / "alerts.yml").write_text(ALERTS.read_text())
    file = folder / "tests.yml"
    samples = [{"labels": labels, "value": value} for labels, value in expected.items()]
    case = {"expr": expression, "eval_time": "30m", "exp_samples": samples}
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [case]}
    file.write_text(
        yaml.safe_dump({"rule_files": ["alerts.yml"], "evaluation_interval": "1m", "tests": [test]})
    )
    done = run(promtool, "test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_are_raised_when_they_should_be(promtool, tmp_path):
    series = [
        {"series": 'up{job="sightline",instance="api"}', "values": "1x10 0x30"},
        outstanding("detect", "ready", "5x60"),
        outstanding("detect", "leased", "0x60"),
        outstanding("ingest", "ready", "5x60"),
        outstanding("ingest", "leased", "1x60"),
        {"series": "sightline_worker_restarts_total", "values": "0+1x60"},
        {"series": 'sightline_http_request_seconds_count{status="200"}', "values": "0+8x60"},
        {"series": 'sightline_http_request_seconds_count{status="503"}', "values": "0+2x60"},
    ]
    labels = {
        "SightlineDown": 'severity="critical",job="sightline",instance="api"',
        "SightlineQueueStandsStill": 'severity="critical",queue="detect"',
        "SightlineWorkersDie": 'severity="warning"',
        "SightlineErrors": 'severity="warning"',
    }
    assert set(labels) == {rule["alert"] for rule in rules()}
    raised = {
        f'ALERTS{{alertname="{name}",alertstate="firing",{more}}}': 1
        for name, more in labels.items()
    }
    evaluate(promtool, tmp_path, series, 'ALERTS{alertstate="firing"}', raised)


def test_no_alert_is_raised_while_all_is_well(promtool, tmp_path):
    series = [
        {"series": 'up{job="sightline",instance="api"}', "values": "1x60"},
        outstanding("detect", "ready", "5x60"),
        outstanding("detect", "leased", "4x60"),
        {"series": "sightline_worker_restarts_total", "values": "1x60"},
        {"series": 'sightline_http_request_seconds_count{status="200"}', "values": "0+8x60"},
    ]
    evaluate(promtool, tmp_path, series, 'ALERTS{alertstate="firing"}', {})


def test_workers_are_scaled_on_waiting_and_leased_tasks_counted_once(plain, promtool, tmp_path):
    (query,) = [query for query in scaling_queries(plain) if '"detect"' in query]
    series = [
        outstanding("detect", state, f"{number}x60", instance=instance)
        for state, number in (("ready", 5), ("leased", 3))
        for instance in ("api-1", "api-2")
    ]
    series.append(outstanding("ingest", "ready", "40x60"))
    evaluate(promtool, tmp_path, series, query, {"{}": 8})


def test_panels_do_not_cover_each_other():
    taken = set()
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = set(
            itertools.product(
                range(place["x"], place["x"] + place["w"]),
                range(place["y"], place["y"] + place["h"]),
            )
        )
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_the_dashboard_asks_the_data_source_that_is_set_up():
    source = yaml.safe_load(
        (DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yaml").read_text()
    )["datasources"][0]
    assert source["url"] == "http://prometheus:9090"
    asked = [panel["datasource"] for panel in panels()]
    asked += [target["datasource"] for panel in panels() for target in panel["targets"]]
    assert all(a == {"type": source["type"], "uid": source["uid"]} for a in asked)


def test_grafana_looks_for_the_dashboard_where_it_is_mounted(compose):
    provider = yaml.safe_load(
        (DEPLOY / "grafana" / "provisioning" / "dashboards" / "sightline.yaml").read_text()
    )["providers"][0]
    mounted = {
        volume["target"]: volume["source"] for volume in compose["services"]["grafana"]["volumes"]
    }
    assert mounted[provider["options"]["path"]] == str(DASHBOARD.parent)
    home = compose["services"]["grafana"]["environment"][
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"
    ]
    assert home == f"{provider['options']['path']}/{DASHBOARD.name}"
