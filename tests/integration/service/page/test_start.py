"""The first page: submitting videos, and the list of jobs."""

import base64

import pytest
from tests.integration.service.served import wait_for

from sightline.jobs.states import TaskKind
from sightline.jobs.store import LeaseReport

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


def row(page, name):
    return page.locator(".job", has=page.get_by_role("link", name=name, exact=True))


def upload(page, name):
    return page.locator(".upload", has_text=name)


def drop(page, path, name):
    """Drop a file on the page."""
    content = base64.b64encode(path.read_bytes()).decode()
    data = page.evaluate_handle(
        """([content, name]) => {
          const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
          const data = new DataTransfer();
          data.items.add(new File([bytes], name, { type: "video/mp4" }));
          return data;
        }""",
        [content, name],
    )
    page.dispatch_event("body", "dragover", {"dataTransfer": data})
    page.dispatch_event("body", "drop", {"dataTransfer": data})


def hold_pieces(page):
    """Let no piece of an upload through until the route is removed."""
    page.route(
        "**/v1/uploads/*",
        lambda route: None if route.request.method == "PATCH" else route.continue_(),
    )


def choose_demo(page):
    page.get_by_label("Detector").select_option("demo")


def test_a_file_that_is_dropped_is_uploaded_and_its_job_succeeds(page, street, workshop, api):
    page.goto("/")
    choose_demo(page)
    drop(page, street, "gate.mp4")
    page.locator("#drop").get_by_text("gate.mp4").wait_for()
    page.get_by_role("button", name="Start").click()
    row(page, "gate.mp4").get_by_text("Queued").wait_for()
    workshop.start()
    row(page, "gate.mp4").get_by_text("Succeeded").wait_for()
    row(page, "gate.mp4").locator("img").wait_for()
    upload(page, "gate.mp4").wait_for(state="detached")
    assert upload(page, "gate.mp4").count() == 0
    [job] = api.get("/v1/jobs").json()["jobs"]
    assert (job["source"]["name"], job["status"]) == ("gate.mp4", "succeeded")
    page.get_by_role("link", name="gate.mp4").click()
    page.get_by_role("heading", name="gate.mp4").wait_for()


@pytest.mark.parametrize("late", ["/static/start.js", "/v1/pipelines"])
def test_who_is_quicker_than_the_page_loses_nothing(page, street, late):
    held = []
    page.route(f"**{late}", lambda route: held.append(route))  # noqa: PLW0108 - no attributes on built-ins
    with page.expect_request(f"**{late}"):
        page.goto("/", wait_until="commit")
    start = page.get_by_role("button", name="Start")
    page.locator("#files").set_input_files(street)
    assert start.is_disabled()
    held[0].continue_()
    start.click()
    row(page, "street.mp4").wait_for()


def test_a_page_without_the_list_of_pipelines_submits_to_the_default(
    page, street, api, expected_complaints
):
    expected_complaints.append("ERR_FAILED")
    page.route("**/v1/pipelines", lambda route: route.abort())
    page.goto("/")
    page.locator("#submit-error").get_by_text("cannot be reached").wait_for()
    page.locator("#files").set_input_files(street)
    page.get_by_role("button", name="Start").click()
    row(page, "street.mp4").wait_for()
    (default,) = [p for p in api.get("/v1/pipelines").json()["pipelines"] if p["default"]]
    assert api.get("/v1/jobs").json()["jobs"][0]["pipeline"] == default["name"]


def test_several_files_are_chosen_and_become_a_job_each(page, street, tmp_path, api):
    other = tmp_path / "other.mp4"
    other.write_bytes(street.read_bytes())
    page.goto("/")
    choose_demo(page)
    page.locator("#files").set_input_files([street, other])
    page.locator("#drop").get_by_text("2 files").wait_for()
    page.get_by_role("button", name="Start").click()
    row(page, "street.mp4").wait_for()
    row(page, "other.mp4").wait_for()
    jobs = api.get("/v1/jobs").json()["jobs"]
    assert sorted(job["source"]["name"] for job in jobs) == ["other.mp4", "street.mp4"]


def test_options_reach_the_job(page, street, api):
    page.goto("/")
    choose_demo(page)
    page.get_by_label("Confidence").fill("0.6")
    page.get_by_label("Classes").fill("person, car")
    page.get_by_text("More options").click()
    page.get_by_label("From", exact=True).fill("0:00.4")
    page.get_by_label("To", exact=True).fill("1.5")
    page.get_by_label("Name", exact=True).fill("the gate")
    page.get_by_label("Labels", exact=True).fill("site=north, day=mon")
    page.get_by_label("mot").uncheck()
    page.get_by_label("Longest gap").fill("4")
    page.locator("#files").set_input_files(street)
    page.get_by_role("button", name="Start").click()
    row(page, "the gate").wait_for()
    [job] = api.get("/v1/jobs").json()["jobs"]
    assert job["params"]["detector"] == "demo"
    assert job["params"]["confidence"] == 0.6
    assert job["params"]["classes"] == ["person", "car"]
    assert job["params"]["max_age"] == 4
    assert job["range"] == {"start_s": 0.4, "end_s": 1.5}
    assert job["labels"] == {"site": "north", "day": "mon"}
    assert job["outputs"] == ["tracks", "jsonl", "csv", "coco"]


def test_a_hint_speaks_of_what_is_left_empty(page):
    page.goto("/")
    choose_demo(page)
    hint = page.locator("[data-field='params.classes'] .hint")
    assert hint.inner_text() == "Names or numbers of the classes to detect; empty: all."


def test_only_parameters_that_the_chosen_ones_allow_are_asked_for(page):
    page.goto("/")
    choose_demo(page)
    page.get_by_text("More options").click()
    page.get_by_label("Longest gap").wait_for()
    page.get_by_label("Tracker").select_option("none")
    page.get_by_label("Longest gap").wait_for(state="hidden")
    assert page.get_by_label("Tracker").input_value() == "none"


def test_an_address_is_submitted(page, api):
    page.goto("/")
    choose_demo(page)
    page.get_by_label("Address of a video").fill("https://example.com/gate.mp4")
    page.get_by_label("Address of a video").press("Enter")
    page.locator(".job").wait_for()
    [job] = api.get("/v1/jobs").json()["jobs"]
    assert job["source"]["url"] == "https://example.com/gate.mp4"
    assert page.get_by_label("Address of a video").input_value() == ""


@pytest.mark.parametrize(
    ("entered", "sentence"),
    [
        ("", "Choose a file, or enter the address of a video."),
        ("ftp://example.com/a", "Enter an address that begins with http:// or https://."),
    ],
)
def test_what_is_wrong_with_the_address_stands_beside_it(page, entered, sentence):
    page.goto("/")
    choose_demo(page)
    field = page.get_by_label("Address of a video")
    field.fill(entered)
    page.get_by_role("button", name="Start").click()
    page.get_by_text(sentence).wait_for()
    assert field.get_attribute("aria-invalid") == "true"
    assert page.locator(f"#{field.get_attribute('aria-describedby')}").inner_text() == sentence
    assert field.evaluate("(input) => input === document.activeElement")


def test_what_the_server_refuses_stands_beside_the_field(page, expected_complaints):
    expected_complaints.append("422")
    page.goto("/")
    choose_demo(page)
    page.get_by_label("Confidence").fill("1")
    page.get_by_label("Address of a video").fill("https://example.com/gate.mp4")
    page.get_by_role("button", name="Start").click()
    field = page.locator("[data-field='params.confidence']")
    field.get_by_text("maximum of 1").wait_for()
    assert page.get_by_label("Confidence").evaluate("(input) => input === document.activeElement")
    page.get_by_label("Confidence").fill("0.5")
    page.get_by_role("button", name="Start").click()
    page.locator(".job").wait_for()
    assert field.locator(".error").inner_text() == ""


def test_an_upload_can_be_paused_and_goes_on(page, street):
    hold_pieces(page)
    page.goto("/")
    choose_demo(page)
    page.locator("#files").set_input_files(street)
    with page.expect_request(lambda request: request.method == "PATCH"):
        page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Pause street.mp4").click()
    upload(page, "street.mp4").get_by_text("Paused").wait_for()
    page.unroute("**/v1/uploads/*")
    page.get_by_role("button", name="Pause street.mp4").click()
    row(page, "street.mp4").wait_for()
    upload(page, "street.mp4").wait_for(state="detached")
    assert upload(page, "street.mp4").count() == 0


def test_an_upload_can_be_canceled(page, street, api):
    hold_pieces(page)
    page.goto("/")
    choose_demo(page)
    page.locator("#files").set_input_files(street)
    with page.expect_request(lambda request: request.method == "PATCH"):
        page.get_by_role("button", name="Start").click()
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as deleted:
        page.get_by_role("button", name="Cancel street.mp4").click()
    assert deleted.value.status == 204
    upload(page, "street.mp4").wait_for(state="detached")
    assert upload(page, "street.mp4").count() == 0
    assert api.get("/v1/jobs").json()["jobs"] == []


def test_an_upload_goes_on_where_it_stood_after_a_reload(page, street, api):
    content = street.read_bytes()
    half = len(content) // 2
    hold_pieces(page)
    page.goto("/")
    choose_demo(page)
    page.locator("#files").set_input_files(street)
    with page.expect_request(lambda request: request.method == "PATCH") as begun:
        page.get_by_role("button", name="Start").click()
    place = begun.value.url
    page.get_by_role("button", name="Pause street.mp4").click()
    page.unroute("**/v1/uploads/*")
    head = {
        "tus-resumable": "1.0.0",
        "upload-offset": "0",
        "content-type": "application/offset+octet-stream",
    }
    # The request that was held may reach the service yet, and has the upload until it is cut off.
    wait_for(lambda: api.patch(place, content=content[:half], headers=head).status_code == 204)

    page.goto("about:blank")
    page.goto("/")
    choose_demo(page)
    page.locator("#files").set_input_files(street)
    with page.expect_request(lambda request: request.method == "PATCH") as resumed:
        page.get_by_role("button", name="Start").click()
    assert resumed.value.url == place
    assert resumed.value.headers["upload-offset"] == str(half)
    row(page, "street.mp4").wait_for()


def test_a_lost_connection_interrupts_an_upload_but_does_not_end_it(
    page, street, expected_complaints
):
    expected_complaints.append("ERR_FAILED")
    failures = []

    def fail_twice(route):
        if route.request.method == "PATCH" and len(failures) < 2:
            failures.append(route)
            route.abort()
        else:
            route.continue_()

    page.route("**/v1/uploads/*", fail_twice)
    page.goto("/")
    choose_demo(page)
    page.locator("#files").set_input_files(street)
    page.get_by_role("button", name="Start").click()
    row(page, "street.mp4").wait_for()
    assert len(failures) == 2


def test_a_job_refused_after_its_upload_can_be_tried_again_without_it(
    page, street, api, expected_complaints
):
    expected_complaints.append("422")
    page.goto("/")
    choose_demo(page)
    page.get_by_label("Confidence").fill("1")
    page.locator("#files").set_input_files(street)
    page.get_by_role("button", name="Start").click()
    upload(page, "street.mp4").get_by_text("maximum of 1").wait_for()
    page.get_by_label("Confidence").fill("0.5")
    page.get_by_role("button", name="Try street.mp4 again").click()
    row(page, "street.mp4").wait_for()
    [job] = api.get("/v1/jobs").json()["jobs"]
    assert job["params"]["confidence"] == 0.5


def test_progress_is_shown_as_it_comes(page, submit, workshop, services):
    submit()
    page.goto("/")
    row(page, "street.mp4").get_by_text("Next in the queue").wait_for()
    assert workshop.do_one(TaskKind.INGEST)
    lease = workshop.claim(TaskKind.CHUNK)
    services.store.renew(
        lease, LeaseReport(frames_done=20), policy=workshop.policy, now_s=services.clock()
    )
    row(page, "street.mp4").get_by_text("20 of 50 frames").wait_for()
    bar = page.get_by_role("progressbar", name="Progress of street.mp4")
    assert bar.evaluate("(bar) => bar.value") == 36
    assert row(page, "street.mp4").get_by_text("Running").count() == 1


def test_a_job_is_canceled_retried_and_deleted(page, submit, api):
    submit()
    page.goto("/")
    page.get_by_role("button", name="Cancel street.mp4").click()
    row(page, "street.mp4").get_by_text("Canceled").wait_for()
    page.get_by_role("button", name="Retry street.mp4").click()
    row(page, "street.mp4").get_by_text("Queued").wait_for()
    page.get_by_role("button", name="Cancel street.mp4").click()
    page.get_by_role("button", name="Delete street.mp4").click()
    page.get_by_role("button", name="Keep").click()
    assert row(page, "street.mp4").count() == 1
    assert page.get_by_role("button", name="Delete street.mp4").evaluate(
        "(button) => button === document.activeElement"
    )
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_text("No jobs yet").wait_for()
    assert api.get("/v1/jobs").json()["jobs"] == []


def test_what_failed_says_why(page, submit, workshop, api):
    job = api.post(
        "/v1/jobs", json={"source_url": "http://127.0.0.1:9/a.mp4", "params": {"detector": "demo"}}
    ).json()
    workshop.do_all()
    error = api.get(f"/v1/jobs/{job['id']}").json()["error"]
    page.goto("/")
    page.locator(".job").get_by_text("Failed").wait_for()
    assert error["message"][1:] in page.locator(".job .error").inner_text()


def test_the_list_is_filtered_by_state_and_name_and_remembers_it(page, submit, workshop):
    submit("gate.mp4")
    workshop.do_all()
    submit("dock.mp4")
    submit("Gate 2.mp4")
    page.goto("/")
    row(page, "dock.mp4").wait_for()
    page.get_by_label("Name contains").fill("gate")
    row(page, "dock.mp4").wait_for(state="detached")
    assert page.locator(".job").count() == 2
    page.get_by_label("State", exact=True).select_option("Active")
    row(page, "gate.mp4").wait_for(state="detached")
    assert page.locator(".job .name").all_inner_texts() == ["Gate 2.mp4"]
    page.reload()
    row(page, "Gate 2.mp4").wait_for()
    assert page.locator(".job").count() == 1
    page.get_by_label("Name contains").fill("nothing")
    page.get_by_text("No job fits the filter.").wait_for()


def test_more_jobs_are_shown_on_demand(page, api):
    for number in range(35):
        body = {
            "source_url": f"https://example.com/{number}.mp4",
            "source_name": f"clip {number}",
            "params": {"detector": "demo"},
        }
        assert api.post("/v1/jobs", json=body).status_code == 202
    page.goto("/")
    row(page, "clip 5").wait_for()
    assert page.locator(".job").count() == 30
    page.get_by_role("button", name="Show more").click()
    row(page, "clip 0").wait_for()
    assert page.locator(".job .name").all_inner_texts() == [
        f"clip {number}" for number in reversed(range(35))
    ]
    assert page.get_by_role("link", name="clip 4", exact=True).evaluate(
        "(link) => link === document.activeElement"
    )
    page.get_by_role("button", name="Show more").wait_for(state="hidden")


def test_a_job_that_others_submit_appears_and_one_they_delete_goes(page, submit, api):
    page.goto("/")
    page.get_by_text("No jobs yet").wait_for()
    job = submit("theirs.mp4")
    row(page, "theirs.mp4").wait_for()
    api.post(f"/v1/jobs/{job['id']}/cancel")
    assert api.delete(f"/v1/jobs/{job['id']}").status_code == 204
    page.get_by_text("No jobs yet").wait_for()
    assert page.locator(".job").count() == 0


def test_names_and_labels_are_text_and_never_markup(page, submit, workshop):
    submit(HOSTILE, labels={"site": HOSTILE})
    workshop.do_all()
    page.goto("/")
    row(page, HOSTILE).get_by_text("Succeeded").wait_for()
    row(page, HOSTILE).locator(".thumb img").wait_for()
    assert page.locator(".job .name").inner_text() == HOSTILE
    page.get_by_role("button", name=f"Delete {HOSTILE}").click()
    assert HOSTILE in page.get_by_role("dialog").inner_text()
    assert page.locator("main script, .job-text img, dialog img").count() == 0


def test_a_lost_connection_is_said_and_comes_back_by_itself(page, submit, expected_complaints):
    expected_complaints.append("ERR_")
    submit()
    page.goto("/")
    row(page, "street.mp4").wait_for()
    page.context.set_offline(True)
    page.get_by_text("Connection lost; trying again").wait_for()
    page.context.set_offline(False)
    page.get_by_text("Connection lost; trying again").wait_for(state="detached")
