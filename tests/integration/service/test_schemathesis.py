"""What the OpenAPI document promises, tried with generated requests, good and bad ones."""

import secrets

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from sightline.service.application import make_application

# That the adapter of schemathesis uses a deprecated test client is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

HEADERS = {"host": "localhost"}
ENDLESS = "/v1/jobs/{job_id}/events"


@pytest.fixture
def document(services):
    application = make_application(services)
    return schemathesis.openapi.from_asgi("/openapi.json", application, headers=HEADERS)


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_what_the_document_says(document, finished, mode):
    tried = 0
    for found in document.get_all_operations():
        operation = found.ok()
        if operation.path != ENDLESS:
            tried += try_out(operation, mode, ids=[finished["id"], "nothing"])
    assert tried > (20 if mode is schemathesis.GenerationMode.POSITIVE else 5)


def try_out(operation, mode, *, ids):
    """Send requests of one kind to one operation; False if there are none of that kind."""
    if operation.method == "delete":
        ids = ids[1:]

    @settings(
        max_examples=10,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=operation.as_strategy(generation_mode=mode),
        job_id=st.one_of(st.none(), st.sampled_from(ids)),
    )
    def once(case, job_id):
        if job_id is not None and "job_id" in (case.path_parameters or {}):
            case.path_parameters["job_id"] = job_id
        if is_backwards(case.body):
            return
        if mode is schemathesis.GenerationMode.NEGATIVE and is_good_job(operation, case):
            return
        if mode is schemathesis.GenerationMode.POSITIVE and "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = secrets.token_hex(8)  # another request, another key
        case.call_and_validate(headers=HEADERS)

    try:
        once()
    except Unsatisfiable:
        return False
    return True


def is_backwards(body):
    """Tell whether a job's range ends before it begins, which no JSON Schema can rule out."""
    options = body.get("job", body) if isinstance(body, dict) else {}
    if not isinstance(options, dict):
        return False
    start, end = options.get("start_s", 0), options.get("end_s")
    return isinstance(start, int | float) and isinstance(end, int | float) and end <= start


def is_good_job(operation, case):
    """Tell whether a job that is meant to be bad is good after all.

    Where a schema offers several ways, schemathesis bars one, and another may still be open.
    """
    if operation.label != "POST /v1/jobs" or not isinstance(case.body, dict):
        return False
    is_form = case.media_type == "multipart/form-data"
    name = "JobOptions" if is_form else "JobRequest"
    schema = {
        "$ref": f"#/components/schemas/{name}",
        "components": operation.schema.raw_schema["components"],
    }
    job = case.body.get("job", {}) if is_form else case.body
    return jsonschema.Draft202012Validator(schema).is_valid(job)
