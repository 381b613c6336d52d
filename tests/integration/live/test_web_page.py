"""The page of the live view in a real browser."""

import pytest
from tests.browser_fixtures import browser

from sightline.live.web import Web

__all__ = ["browser"]

TIMEOUT_MS = 30_000
COLOR = """(canvas) => {
  const copy = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  return copy.getImageData(0, 0, 1, 1).data.join();
}"""
CHANGES = f"""async (canvas) => {{
  const colors = new Set();
  while (colors.size < 4) {{
    colors.add(({COLOR})(canvas));
    await new Promise((done) => setTimeout(done, 10));
  }}
  return colors.size;
}}"""


@pytest.fixture
def complaints():
    """What the browser complains of: errors of scripts, of the network, of the policy."""
    return []


@pytest.fixture
def page(browser, complaints):
    page = browser.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    page.close()


def card_of(page, name):
    return page.get_by_role("article", name=name, exact=True)


def test_the_page_shows_moving_pictures_and_complains_of_nothing(
    web, start_camera, page, complaints
):
    start_camera("gate", size=(80, 40))
    page.goto(web.address)
    assert card_of(page, "gate").locator("canvas").evaluate(CHANGES) == 4
    card = card_of(page, "gate")
    assert card.locator("canvas").evaluate("(c) => [c.width, c.height]") == [80, 40]
    assert card.locator(".note").inner_text() == ""
    card.get_by_text("Live", exact=True).wait_for()
    card.get_by_text("1 viewer").wait_for()
    assert complaints == []


def test_more_streams_than_a_browser_opens_connections_all_move(
    web, start_camera, page, complaints
):
    names = [f"camera-{number}" for number in range(10)]
    for name in names:
        start_camera(name)
    page.set_viewport_size({"width": 1600, "height": 2400})
    page.goto(web.address)
    for name in names:
        assert card_of(page, name).locator("canvas").evaluate(CHANGES) == 4
    page.get_by_text("10 streams").wait_for()
    assert complaints == []


def test_streams_out_of_sight_are_not_watched(web, start_camera, page, wait_until, get):
    names = [f"camera-{number}" for number in range(6)]
    for name in names:
        start_camera(name)
    page.set_viewport_size({"width": 400, "height": 500})
    page.goto(web.address)

    def viewers():
        return [stream["viewers"] for stream in get("streams").json()["streams"]]

    wait_until(lambda: viewers()[0] == 1 and viewers()[-1] == 0)
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    wait_until(lambda: viewers()[0] == 0 and viewers()[-1] == 1)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
def test_names_are_text_and_never_markup(web, start_camera, page, complaints, name):
    dialogs = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message) or dialog.dismiss())
    start_camera(name)
    web.stats = lambda: {name: {"hops": {name: {"p50_ms": 1}}, "drops": {name: {name: 1}}}}
    page.goto(web.address)
    card = card_of(page, name)
    assert card.locator("canvas").evaluate(CHANGES) == 4
    assert card.locator("h2").inner_text() == name
    assert card.locator("tbody th").all_inner_texts() == [name, name]
    assert page.locator("article script, article img").count() == 0
    assert dialogs == []
    assert complaints == []


def test_latency_and_drops_are_tables_with_headers(web, start_camera, page, complaints):
    start_camera("gate")
    web.stats = lambda: {
        "gate": {
            "hops": {"source → handler": {"p50_ms": 0.42, "p95_ms": 1, "p99_ms": float("nan")}},
            "drops": {"queue": {"stale": 1200, "superseded": 3}},
        }
    }
    page.goto(web.address)
    hops = page.get_by_role("table", name="Latency per hop over the last 10 s, in ms")
    drops = page.get_by_role("table", name="Dropped frames")
    drops.wait_for()
    assert hops.get_by_role("columnheader").all_inner_texts() == ["Hop", "p50", "p95", "p99"]
    row = page.get_by_role("row", name="source → handler")
    assert row.get_by_role("cell").all_inner_texts() == ["0.4", "1.0", "–"]
    assert drops.get_by_role("row").all_inner_texts() == [
        "Stage\tReason\tFrames",
        "queue\tstale\t1,200",
        "queue\tsuperseded\t3",
    ]
    web.stats = dict
    hops.wait_for(state="hidden")
    drops.wait_for(state="hidden")
    assert complaints == []


def test_the_page_says_that_the_connection_is_lost_and_comes_back_by_itself(page, stream_of):
    with Web(0) as web:
        web.open(stream_of("gate"))
        page.goto(web.address)
        page.get_by_role("status").get_by_text("Connected").wait_for()
        port = int(web.address.rpartition(":")[2])
    page.get_by_role("status").get_by_text("Connection lost; trying again").wait_for()
    with Web(port) as web:
        web.open(stream_of("gate"))
        page.get_by_role("status").get_by_text("Connected").wait_for()
        card_of(page, "gate").wait_for()


def test_a_stream_that_ends_leaves_its_last_picture_and_a_new_run_takes_its_place(
    web, start_camera, page, complaints
):
    start_camera("other")
    camera = start_camera("gate")
    page.goto(web.address)
    card = card_of(page, "gate")
    card.locator("canvas").evaluate(CHANGES)
    camera.close()
    card.get_by_text("Ended").wait_for()
    assert card.locator("canvas").evaluate(COLOR).endswith(",255")
    assert card.get_by_role("link").count() == 0
    start_camera("gate")
    card.get_by_text("Live", exact=True).wait_for()
    assert card_of(page, "gate").count() == 1
    assert card.locator("canvas").evaluate(CHANGES) == 4
    assert complaints == []


def test_a_stream_that_stands_still_is_said_to(web, start_camera, page, wait_until):
    camera = start_camera("gate")
    wait_until(lambda: camera.frames)
    camera.stop()
    page.goto(web.address)
    card_of(page, "gate").get_by_text("No new frames").wait_for()
    card_of(page, "gate").get_by_text("Waiting for a frame").wait_for()


def test_pictures_can_be_paused_by_keyboard(web, start_camera, page, wait_until, get, complaints):
    start_camera("gate")
    page.goto(web.address)
    canvas = page.get_by_role("img", name="Live picture of gate")
    canvas.evaluate(CHANGES)

    def viewers():
        return get("streams").json()["streams"][0]["viewers"]

    button = page.get_by_role("button", name="Pause")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert button.evaluate("(b) => b === document.activeElement")
    page.keyboard.press("Space")
    wait_until(lambda: viewers() == 0)
    assert button.get_attribute("aria-pressed") == "true"
    page.keyboard.press("Space")
    assert canvas.evaluate(CHANGES) == 4
    assert complaints == []


def test_a_picture_can_be_shown_in_full_screen(web, start_camera, page, complaints):
    start_camera("gate")
    page.goto(web.address)
    page.get_by_role("button", name="Show gate in full screen").click()
    page.wait_for_function("() => document.fullscreenElement !== null")
    assert page.locator("canvas").evaluate(CHANGES) == 4
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 768, 2560])
def test_nothing_sticks_out_at_any_width(web, start_camera, page, complaints, scheme, width):
    start_camera("a-camera-whose-name-is-longer-than-any-line-on-a-phone-has-room-for")
    web.stats = lambda: {s: {"hops": {"h" * 60: {"p50_ms": 1e5}}} for s in web._feeds}
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(web.address)
    page.locator("table").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert complaints == []


def test_motion_jpeg_plays_in_a_plain_image_element(web, start_camera, page, complaints):
    start_camera("gate", size=(80, 40))
    page.goto(web.address)
    page.evaluate("""() => {
      const image = document.createElement("img");
      image.id = "plain";
      image.src = "streams/gate.mjpeg";
      document.body.append(image);
    }""")
    page.wait_for_function("() => document.getElementById('plain').naturalWidth === 80")
    assert complaints == []
