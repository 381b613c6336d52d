"""What stands in `compose.yaml` and `deploy/`, for the tests that check it without running it."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "sightline"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "sightline.json"
PROMETHEUS = DEPLOY / "prometheus"
OVERLAYS = ("base", "keda", "monitoring")


def program(name, missing):
    """Find a program that a package of the development environment or Debian brings."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which(name, path=places)
    return found or missing(f"the program {name}")


def run(*command, **about):
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=120, **about
    )


def documents(text):
    return [document for document in yaml.safe_load_all(text) if document]


def manifests(overlay):
    """Read what a kustomization lists, as `kubectl kustomize` would, but for names of images."""
    folder = DEPLOY / "kubernetes" / overlay
    found = []
    for name in yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]:
        path = folder / name
        if path.is_dir():
            found += manifests(path.resolve().name)
        else:
            found += documents(path.read_text(encoding="utf-8"))
    return found


def by_name(objects):
    return {(thing["kind"], thing["metadata"]["name"]): thing for thing in objects}


def pods(objects):
    """Give the pod templates of deployments by their names."""
    return {
        thing["metadata"]["name"]: thing["spec"]["template"]
        for thing in objects
        if thing["kind"] == "Deployment"
    }


def panels():
    """Give the panels of the dashboard."""
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]


def shell_words(text):
    """Give the commands of a `console` block: lines that begin with `$ `."""
    joined = text.replace("\\\n", " ")
    return [
        shlex.split(line.removeprefix("$ "), comments=True)
        for line in map(str.strip, joined.splitlines())
        if line.startswith("$ ")
    ]
