"""`docs/reference/http.md` names what there is."""

import re
from pathlib import Path

import pytest
from click import Group, Option

from sightline.cli.app import app
from sightline.jobs.detect_track import DetectTrack
from sightline.jobs.detectors import AllowedDetectors
from sightline.jobs.failures import FAILURE_CODES
from sightline.jobs.files import Storage
from sightline.jobs.pipelines import Offers
from sightline.jobs.sql.database import database_in
from sightline.jobs.sql_store import SqlJobStore
from sightline.jobs.states import JobState
from sightline.service.access import Access
from sightline.service.application import make_application
from sightline.service.owner import Scope
from sightline.service.problems import PROBLEMS
from sightline.service.secret import load_secret
from sightline.service.services import Services
from sightline.service.uploads import Uploads
from sightline.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "http.md"
UPLOADS = [
    *((method, "/v1/uploads") for method in ("OPTIONS", "POST")),
    *((m, "/v1/uploads/{upload_id}") for m in ("DELETE", "HEAD", "OPTIONS", "PATCH", "POST")),
]
"""Those of tus are not in the OpenAPI document."""


@pytest.fixture(scope="module")
def text():
    return PAGE.read_text(encoding="utf-8")


@pytest.fixture
def document(tmp_path):
    """The OpenAPI document of a service."""
    with database_in(tmp_path) as database:
        database.migrate()
        store = SqlJobStore(database)
        storage = Storage(tmp_path)
        services = Services(
            store=store,
            storage=storage,
            database=database,
            offers=Offers([DetectTrack(AllowedDetectors(["demo"], settings=Settings()))]),
            access=Access.over(database, store, secret=load_secret(tmp_path), local=True),
            uploads=Uploads(database, storage),
        )
        yield make_application(services).openapi()


def named_requests(text):
    return set(re.findall(r"\| `([A-Z]+) (/\S*)` \|", text))


def test_every_request_is_named_and_nothing_else(text, document):
    there = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert named_requests(text) == {*there, *UPLOADS, ("GET", "/openapi.json")}


def test_every_problem_is_named_with_its_status(text):
    listed = {code: int(status) for code, status in re.findall(r"\| `([a-z-]+)` \| (\d+) \|", text)}
    assert listed == {code: status for code, (status, _) in PROBLEMS.items()}


def test_every_failure_of_jobs_is_named(text):
    _, _, section = text.partition("### Why jobs fail")
    listed = re.findall(r"^\| `([a-z-]+)` \| .* \| (yes)? ?\|$", section, re.MULTILINE)
    again = {code: said == "yes" for code, said in listed}
    assert again == {code: failure.again for code, failure in FAILURE_CODES.items()}


def test_every_field_of_a_job_is_named(text, document):
    schemas = document["components"]["schemas"]
    _, _, section = text.partition("### The job object")
    for model in ("JobView", "ProgressView", "VideoView", "LinksView", "ChunksView"):
        for field in schemas[model]["properties"]:
            assert f"`{field}`" in section, f"{model}.{field}"
    for field in schemas["JobRequest"]["properties"]:
        assert f"`{field}`" in text, f"JobRequest.{field}"


def test_every_state_and_scope_is_named(text):
    for name in (*JobState, *Scope):
        assert f"| `{name}` |" in text


def test_the_options_that_are_named_exist(text):
    for command, option in re.findall(r"`(serve|keys create) (--[a-z-]+)`", text):
        group, _, name = command.partition(" ")
        found = app.get_command(None, group)
        if isinstance(found, Group):
            found = found.get_command(None, name)
        options = {opt for p in found.params if isinstance(p, Option) for opt in p.opts}
        assert option in options
