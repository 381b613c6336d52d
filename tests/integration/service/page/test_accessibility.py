"""What everybody needs: rules of accessibility, every width, light and dark, fewer motions."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from sightline.jobs.states import TaskKind

LONG = "a-camera-whose-name-is-longer-than-any-line-on-a-phone-has-room-for-2026-11-22.mp4"


@pytest.fixture(params=["light", "dark"])
def scheme(request, page):
    page.emulate_media(color_scheme=request.param, reduced_motion="reduce")
    return request.param


@pytest.fixture
def check(page):
    """Check what is shown, as wide as a desk and as narrow as a phone."""

    def run():
        for width in (1440, 768, 360):
            page.set_viewport_size({"width": width, "height": 900})
            page.evaluate("() => new Promise(requestAnimationFrame)")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            result = Axe().run(page)
            assert result.violations_count == 0, result.generate_report()

    return run


@pytest.mark.usefixtures("scheme")
def test_the_first_page_in_every_state(page, submit, workshop, api, check, expected_complaints):
    expected_complaints.append("422")
    page.goto("/")
    page.get_by_text("No jobs yet").wait_for()
    check()
    submit(LONG, labels={"site": LONG})
    workshop.do_all()
    api.post(
        "/v1/jobs", json={"source_url": "http://127.0.0.1:9/a", "params": {"detector": "demo"}}
    )
    workshop.do_all()
    canceled = submit("canceled.mp4")
    api.post(f"/v1/jobs/{canceled['id']}/cancel")
    submit("running.mp4")
    workshop.do_one(TaskKind.INGEST)
    lease = workshop.claim(TaskKind.CHUNK)
    assert lease is not None
    submit("queued.mp4")
    for state in ("Succeeded", "Failed", "Canceled", "Running", "Queued"):
        page.locator(".job .state").get_by_text(state, exact=True).wait_for()
    check()
    page.get_by_text("More options").click()
    page.get_by_label("Confidence").fill("1")
    page.get_by_label("Detector").select_option("demo")
    page.get_by_label("Address of a video").fill("https://example.com/a.mp4")
    page.get_by_role("button", name="Start").click()
    page.locator("[aria-invalid]").wait_for()
    check()
    page.get_by_role("button", name=f"Delete {LONG}").click()
    page.get_by_role("dialog").wait_for()
    check()


@pytest.mark.usefixtures("scheme")
def test_an_upload_under_way(page, street, check):
    page.route(
        "**/v1/uploads/*",
        lambda route: None if route.request.method == "PATCH" else route.continue_(),
    )
    page.goto("/")
    page.locator("#files").set_input_files(street)
    check()
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Pause street.mp4").click()
    check()


@pytest.mark.usefixtures("scheme")
def test_a_job_in_every_state(page, submit, workshop, api, check):
    job = submit(LONG, labels={"site": LONG})
    page.goto(f"/jobs/{job['id']}")
    page.locator("#state").get_by_text("Queued").wait_for()
    check()
    workshop.do_one(TaskKind.INGEST)
    lease = workshop.claim(TaskKind.CHUNK)
    page.locator("#columns").wait_for()
    check()
    workshop.give_back(lease)
    workshop.do_all()
    page.locator("#state").get_by_text("Succeeded").wait_for()
    page.locator("#track-rows [role=option]").first.click()
    page.get_by_text("As a table", exact=True).click()
    check()
    page.get_by_role("tab", name="Detections").click()
    page.locator("#detection-rows [role=option]").first.wait_for()
    check()


@pytest.mark.usefixtures("scheme")
def test_a_job_that_failed(page, api, workshop, check):
    body = {"source_url": "http://127.0.0.1:9/a.mp4", "params": {"detector": "demo"}}
    job = api.post("/v1/jobs", json=body).json()
    workshop.do_all()
    page.goto(f"/jobs/{job['id']}")
    page.locator("#state").get_by_text("Failed").wait_for()
    check()


@pytest.mark.usefixtures("scheme")
def test_a_job_that_does_not_exist(page, check, expected_complaints):
    expected_complaints.append("404")
    page.goto("/jobs/018f0000-0000-7000-8000-000000000000")
    page.get_by_role("heading", name="No such job").wait_for()
    check()


@pytest.mark.usefixtures("scheme")
def test_the_streams(page, check):
    page.goto("/streams")
    page.get_by_text("No real-time graph runs on this machine.").wait_for()
    check()


def test_everything_of_the_first_page_can_be_reached_by_keyboard(page, submit):
    submit()
    page.goto("/")
    page.get_by_role("link", name="street.mp4").wait_for()
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "() => { const { id, textContent, tagName } = document.activeElement;"
                " return id || textContent.trim() || tagName; }"
            )
        )
        if reached[-1] == "Cancel":
            break
    assert [one for one in reached if one in ("files", "source-url", "start", "street.mp4")] == [
        "files",
        "source-url",
        "start",
        "street.mp4",
    ]
    assert reached[0] == "Skip to the jobs"


def test_nothing_is_fetched_from_elsewhere(page, done):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for path in ("/", "/streams", f"/jobs/{done['id']}"):
        page.goto(path)
        page.get_by_role("link", name="Real time").wait_for()
    origin = page.evaluate("location.origin")
    assert asked
    assert all(url.startswith(origin) for url in asked)
