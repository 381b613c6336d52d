"""A service that asks for a key: the form to give it, from every page and back to it."""

import dataclasses

import pytest
from axe_playwright_python.sync_playwright import Axe
from tests.integration.service.served import make_services

from sightline.service.access import Access
from sightline.service.keys import KeyStore
from sightline.service.owner import Scope
from sightline.service.secret import load_secret


@pytest.fixture
def services(tmp_path):
    """Services that ask for a key."""
    services = make_services(tmp_path)
    access = Access.over(
        services.database, services.store, secret=load_secret(tmp_path), local=False
    )
    yield dataclasses.replace(services, access=access)
    services.database.close()


@pytest.fixture
def new_key(services):
    return KeyStore(services.database).create(
        "ops", scopes=[Scope.READ, Scope.WRITE], now_s=services.clock()
    )


@pytest.fixture
def api(api, new_key):
    """A client that has the key."""
    api.headers["authorization"] = f"Bearer {new_key.secret}"
    return api


@pytest.fixture(autouse=True)
def _refusals_are_expected(expected_complaints):
    expected_complaints.append("401")


def sign_in(page, new_key):
    page.get_by_label("Key", exact=True).fill(new_key.secret)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("dialog").wait_for(state="detached")


def test_the_key_is_asked_for_and_the_page_goes_on(page, new_key, submit):
    submit()
    page.goto("/")
    sign_in(page, new_key)
    page.get_by_role("link", name="street.mp4").wait_for()
    page.get_by_label("Detector").wait_for()
    page.reload()
    page.get_by_role("link", name="street.mp4").wait_for()
    assert page.get_by_role("dialog").count() == 0


def test_a_wrong_key_is_said_to_be_wrong(page, new_key):
    page.goto("/")
    field = page.get_by_label("Key", exact=True)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Enter a key.").wait_for()
    field.fill("sl_wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("The server does not know this key, or it was revoked.").wait_for()
    assert field.get_attribute("aria-invalid") == "true"
    sign_in(page, new_key)
    page.get_by_text("No jobs yet").wait_for()


def test_the_form_cannot_be_dismissed(page, new_key):
    page.goto("/")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for()
    sign_in(page, new_key)
    page.get_by_text("No jobs yet").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_the_form_keeps_the_rules_of_accessibility(page, new_key, scheme, width):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Enter a key.").wait_for()
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()
    assert page.get_by_label("Key", exact=True).evaluate("(i) => i === document.activeElement")


def test_a_page_of_a_job_asks_and_stays(page, new_key, submit):
    job = submit()
    page.goto(f"/jobs/{job['id']}")
    sign_in(page, new_key)
    page.get_by_role("heading", name="street.mp4").wait_for()
    assert page.url.endswith(f"/jobs/{job['id']}")


def test_a_session_that_ends_under_way_is_begun_anew(page, new_key, submit, workshop):
    job = submit()
    page.goto(f"/jobs/{job['id']}")
    sign_in(page, new_key)
    page.locator("#state").get_by_text("Queued").wait_for()
    page.context.clear_cookies()
    page.get_by_role("button", name="Cancel").click()
    sign_in(page, new_key)
    page.locator("#state").get_by_text("Canceled").wait_for()


def test_signing_out_leads_to_the_form(page, new_key):
    page.goto("/")
    sign_in(page, new_key)
    page.get_by_text("No jobs yet").wait_for()
    page.reload()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("dialog").wait_for()
    assert page.context.cookies() == []


def test_an_upload_asks_for_the_key_and_goes_on(page, new_key, street):
    page.goto("/")
    sign_in(page, new_key)
    page.get_by_label("Detector").select_option("demo")
    page.context.clear_cookies()
    page.locator("#files").set_input_files(street)
    page.get_by_role("button", name="Start").click()
    sign_in(page, new_key)
    page.locator(".job").get_by_role("link", name="street.mp4").wait_for()
