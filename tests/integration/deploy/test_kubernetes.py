"""The manifests and what the chart renders, against schemas; no cluster sees them here."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from tests.deployment import CHART, DEPLOY, OVERLAYS, by_name, documents, manifests, pods

VERSIONS = ("1.29", "1.32", "1.34")
OWN = {
    schema["properties"]["kind"]["const"]: schema
    for schema in (
        yaml.safe_load(path.read_text())
        for path in (Path(__file__).parent / "schemas").glob("*.yaml")
    )
}
ALL = {"scaling": {"enabled": True}, "serviceMonitor": {"enabled": True}}


@pytest.fixture(params=["manifests", "chart", "chart with another name"])
def objects(request, plain, rendered):
    if request.param == "manifests":
        return plain
    return rendered(ALL, name="sightline" if request.param == "chart" else "videos")


@pytest.fixture(scope="module")
def check(missing):
    """Validates an object of Kubernetes, strictly: fields that there are not are refused."""
    try:
        import kubernetes_validate
    except ImportError:
        missing("the package kubernetes-validate")

    def validate(thing, version):
        kubernetes_validate.validate(thing, version, strict=True)

    return validate


@pytest.mark.parametrize("version", VERSIONS)
def test_objects_are_valid(objects, check, version):
    assert len(objects) >= 19
    for thing in objects:
        if thing["kind"] in OWN:
            jsonschema.Draft202012Validator(OWN[thing["kind"]]).validate(thing)
        else:
            check(thing, version)


def test_the_scaling_behaviour_is_that_of_an_autoscaler(objects, check):
    for thing in objects:
        if thing["kind"] == "ScaledObject":
            target = {**thing["spec"]["scaleTargetRef"], "apiVersion": "apps/v1"}
            autoscaler = {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": "x"},
                "spec": {
                    "maxReplicas": thing["spec"]["maxReplicaCount"],
                    "scaleTargetRef": {**target, "kind": "Deployment"},
                    **thing["spec"]["advanced"]["horizontalPodAutoscalerConfig"],
                },
            }
            check(autoscaler, VERSIONS[-1])


def test_a_schema_refuses_what_is_wrong(check, plain):
    broken = json.loads(json.dumps(by_name(plain)["Deployment", "sightline-api"]))
    broken["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(Exception, match="readinesProbe"):
        check(broken, VERSIONS[-1])
    scaled = json.loads(json.dumps(by_name(plain)["ScaledObject", "sightline-worker-detect"]))
    scaled["spec"]["triggers"][0]["metadata"]["threshold"] = 4
    with pytest.raises(jsonschema.ValidationError, match="4 is not of type 'string'"):
        jsonschema.validate(scaled, OWN["ScaledObject"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_file_beside_a_kustomization_is_in_it(overlay):
    folder = DEPLOY / "kubernetes" / overlay
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())
    files = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == {name for name in listed["resources"] if name.endswith(".yaml")}
    for name in files:
        for thing in documents((folder / name).read_text()):
            assert thing["metadata"].get("namespace") is None, "the kustomization says it"


def test_pods_meet_the_restricted_standard(objects):
    assert len(pods(objects)) == 4
    for template in pods(objects).values():
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert {next(k for k in v if k != "name") for v in spec["volumes"]} <= {
            "emptyDir",
            "persistentVolumeClaim",
        }
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert not [port for port in container["ports"] if "hostPort" in port]


def test_containers_say_what_they_need_and_how_they_are(objects):
    for template in pods(objects).values():
        for container in template["spec"]["containers"]:
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            assert "memory" in container["resources"]["limits"]
            paths = {
                name: container[name]["httpGet"]["path"]
                for name in ("startupProbe", "livenessProbe", "readinessProbe")
            }
            assert set(paths.values()) == {"/livez", "/readyz"}
            assert paths["readinessProbe"] == "/readyz"


def test_probes_ask_at_the_port_where_the_program_answers(objects):
    for name, template in pods(objects).items():
        (container,) = template["spec"]["containers"]
        (port,) = container["ports"]
        assert container["readinessProbe"]["httpGet"]["port"] == port["name"]
        option = "--port" if name.endswith("-api") else "--health"
        said = container["args"][container["args"].index(option) + 1]
        assert said in (str(port["containerPort"]), f"0.0.0.0:{port['containerPort']}")


def test_kubernetes_waits_longer_than_a_worker_may_drain(objects):
    for name, template in pods(objects).items():
        args = template["spec"]["containers"][0]["args"]
        if "worker" in name:
            drain_s = float(args[args.index("--drain-s") + 1])
            assert template["spec"]["terminationGracePeriodSeconds"] >= drain_s + 30


def test_the_memory_of_a_pod_holds_what_its_tasks_may_take(objects):
    for name, template in pods(objects).items():
        (container,) = template["spec"]["containers"]
        if "worker" in name:
            args = container["args"]
            tasks = int(args[args.index("--concurrency") + 1])
            each = int(args[args.index("--max-memory") + 1].removesuffix("G"))
            limit = int(container["resources"]["limits"]["memory"].removesuffix("Gi"))
            assert limit > tasks * each


def test_selectors_find_the_pods_they_mean(objects):
    labels = [template["metadata"]["labels"] for template in pods(objects).values()]
    for thing in objects:
        spec = thing.get("spec", {})
        selector = spec.get("podSelector") or spec.get("selector")
        if thing["kind"] == "Service":
            selector = {"matchLabels": selector}
        if thing["kind"] in ("Deployment", "PodDisruptionBudget", "Service", "NetworkPolicy"):
            wanted = selector["matchLabels"].items()
            found = [given for given in labels if wanted <= given.items()]
            assert len(found) == 1 or thing["kind"] == "NetworkPolicy", thing["metadata"]["name"]
            assert found


def test_only_those_who_fetch_for_strangers_reach_the_internet(objects):
    reach = {
        template["metadata"]["labels"]["app.kubernetes.io/component"]
        for template in pods(objects).values()
        if template["metadata"]["labels"]["sightline/internet"] == "true"
    }
    assert reach == {"api", "worker-ingest", "worker-interactive"}
    (policy,) = [
        thing["spec"]
        for thing in objects
        if thing["kind"] == "NetworkPolicy" and thing["metadata"]["name"].endswith("-internet")
    ]
    (block,) = [peer["ipBlock"] for rule in policy["egress"] for peer in rule["to"]]
    assert {"10.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16"} <= set(block["except"])


def test_what_is_scaled_is_there_and_by_the_queues_that_it_serves(objects):
    deployed = pods(objects)
    scaled = [thing["spec"] for thing in objects if thing["kind"] == "ScaledObject"]
    assert len(scaled) == 3
    for spec in scaled:
        args = deployed[spec["scaleTargetRef"]["name"]]["spec"]["containers"][0]["args"]
        queues = args[args.index("--queues") + 1].replace(",", "|")
        (trigger,) = spec["triggers"]
        assert f'queue=~"{queues}"' in trigger["metadata"]["query"]
        assert "state=" not in trigger["metadata"]["query"], "leased tasks count, too"
        assert spec["minReplicaCount"] <= spec["maxReplicaCount"]


def test_chart_and_manifests_say_the_same(plain, rendered):
    ours, charted = by_name(plain), by_name(rendered(ALL))
    image = yaml.safe_load((DEPLOY / "kubernetes" / "base" / "kustomization.yaml").read_text())[
        "images"
    ][0]
    assert ours.keys() - charted.keys() == {("Namespace", "sightline")}
    assert not charted.keys() - ours.keys()
    for name, thing in charted.items():
        for part in ("spec", "data", "automountServiceAccountToken"):
            there = json.dumps(thing.get(part), sort_keys=True)
            here = json.dumps(ours[name].get(part), sort_keys=True)
            there = there.replace(f"{image['newName']}:{image['newTag']}", "sightline")
            assert there == here, name


def test_versions_are_those_of_the_package():
    import sightline

    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    base = yaml.safe_load((DEPLOY / "kubernetes" / "base" / "kustomization.yaml").read_text())
    assert chart["appVersion"] == base["images"][0]["newTag"] == sightline.__version__


def test_replicas_are_left_to_those_who_scale():
    for name, thing in by_name(manifests("base")).items():
        if name[0] == "Deployment" and "worker" in name[1]:
            assert "replicas" not in thing["spec"]
