"""What is deployed, read or rendered once."""

import pytest
import yaml
from tests.deployment import CHART, DEPLOY, ROOT, documents, manifests, program, run


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """A file with the settings and passwords that `deploy/make-env` writes."""
    path = tmp_path_factory.mktemp("compose") / "env"
    made = run(DEPLOY / "make-env", path)
    assert made.returncode == 0, made.stderr
    return path


@pytest.fixture(scope="session")
def compose(environment, missing):
    """The services as Docker Compose itself understands them, with all profiles."""
    done = run(
        program("docker-compose", missing),
        *("--env-file", environment, "--profile", "*", "config"),
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr.lower(), done.stderr
    return yaml.safe_load(done.stdout)


@pytest.fixture(scope="session")
def plain():
    """All manifests, with KEDA and for the Prometheus operator."""
    return manifests("keda") + manifests("monitoring")


@pytest.fixture(scope="session")
def rendered(missing):
    """Renders the chart with values, as release `sightline` unless another name is given."""
    try:
        from helm_python import Chart
    except ImportError:
        missing("the package helm-python-sdk")

    def render(values=None, *, name="sightline"):
        with Chart.load(CHART) as chart:
            files = chart.render(values, name=name, namespace="sightline")
        return [
            document
            for path, text in sorted(files.items())
            if path.endswith(".yaml")
            for document in documents(text)
        ]

    return render
