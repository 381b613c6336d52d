"""The chart, read by Helm's own library."""

import json

import jsonschema
import pytest
import yaml
from tests.deployment import CHART, by_name, pods


@pytest.fixture(scope="module")
def helm(missing):
    try:
        import helm_python
    except ImportError:
        missing("the package helm-python-sdk")
    return helm_python


def keys_of(values, prefix=""):
    for name, value in values.items():
        path = f"{prefix}.{name}".removeprefix(".")
        if isinstance(value, dict) and value and path not in ("settings", "api.resources"):
            yield from keys_of(value, path)
        else:
            yield path


def test_the_chart_passes_lint(helm):
    report = helm.lint(CHART, strict=True)
    assert not report["errors"]
    assert {message["error"] for message in report["messages"]} <= {"icon is recommended"}


def test_the_schema_of_the_values_is_one():
    schema = json.loads((CHART / "values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load((CHART / "values.yaml").read_text()), schema)


@pytest.mark.parametrize(
    "wrong",
    [
        {"imagee": {}},
        {"workers": {"detect": {"queues": ["detection"]}}},
        {"workers": {"detect": {"drainSeconds": "120"}}},
        {"workers": {"detect": {"replicas": 0}}},
        {"existingSecret": ""},
        {"scaling": {"enabled": True, "prometheusUrl": "prometheus:9090"}},
        {"settings": {"SIGHTLINE_OFFLINE": 1}},
    ],
    ids=str,
)
def test_wrong_values_are_refused(helm, wrong):
    with helm.Chart.load(CHART) as chart, pytest.raises(helm.HelmError):
        chart.validate_schema(wrong)


def test_every_value_is_in_the_readme():
    text = (CHART / "README.md").read_text(encoding="utf-8")
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    named = set()
    for cell in cells:
        first, *more = [word.strip(" `") for word in cell.split(",")]
        named.add(first)
        named |= {first.rpartition(".")[0] + name for name in more}
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    workers = values.pop("workers")
    there = set(keys_of(values))
    for worker in workers.values():
        leaves = {path.replace("resources.", "resources/") for path in keys_of(worker)}
        there |= {f"workers.NAME.{path.partition('/')[0]}" for path in leaves}
    assert there - named == set()
    assert named - there == {"workers.NAME", "workers.NAME.replicas"}


def test_workers_can_be_added_and_removed(rendered):
    gpu = {
        "queues": ["detect"],
        "internet": False,
        "concurrency": 1,
        "taskMemory": "8G",
        "drainSeconds": 300,
        "scratch": "100Gi",
        "replicas": 3,
        "arguments": ["--detector", "gate=/models/gate.onnx"],
        "resources": {"limits": {"nvidia.com/gpu": 1}},
        "scaling": {"min": 0, "max": 4, "tasksPerPod": 1},
        "nodeSelector": {"gpu": "yes"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
    }
    objects = rendered({"workers": {"detect": None, "detect-gpu": gpu}})
    names = set(pods(objects))
    assert "sightline-worker-detect" not in names
    deployment = by_name(objects)["Deployment", "sightline-worker-detect-gpu"]["spec"]
    assert deployment["replicas"] == 3
    spec = deployment["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] == 330
    assert spec["nodeSelector"] == {"gpu": "yes"}
    assert spec["containers"][0]["args"][-2:] == ["--detector", "gate=/models/gate.onnx"]
    assert ("PodDisruptionBudget", "sightline-worker-detect-gpu") in by_name(objects)


def test_the_notes_name_what_is_there(helm):
    with helm.Chart.load(CHART) as chart:
        files = chart.render(
            {"serviceMonitor": {"enabled": True}}, name="videos", namespace="vision"
        )
    (notes,) = [text for path, text in files.items() if path.endswith("NOTES.txt")]
    assert "--namespace vision" in notes
    assert "deploy/videos-worker-detect" in notes
    assert "service/videos-api" in notes
    assert "sightline-metrics-key" in notes


def test_parts_that_are_not_wanted_are_left_out(rendered):
    kinds = {thing["kind"] for thing in rendered({"networkPolicy": {"enabled": False}})}
    assert not kinds & {"NetworkPolicy", "ScaledObject", "ServiceMonitor"}
