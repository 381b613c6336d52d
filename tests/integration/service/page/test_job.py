"""The page of a job: the video with what was found drawn over it, timeline, results, downloads."""

import re
from fractions import Fraction

import numpy as np
import pytest

from sightline.detections import Detections
from sightline.draw.palette import color_of
from sightline.frame import Frame
from sightline.jobs.files import RESULTS_INDEX
from sightline.jobs.publish import publish
from sightline.jobs.results_index import IndexFile
from sightline.jobs.states import TaskKind
from sightline.jobs.store import Finalized, LeaseReport
from sightline.stream import StreamInfo

SHOWN = "() => Number(document.getElementById('overlay').dataset.objects) > 0"
TIME = "() => document.getElementById('video').currentTime"
PAINTED = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let painted = 0;
  for (let at = 3; at < data.length; at += 4) if (data[at] > 0) painted += 1;
  return painted;
}"""
HOSTILE = '"><img src=x onerror=alert(1)>'


def open_job(page, job):
    page.goto(f"/jobs/{job['id']}")


def watch(page, job):
    """Open the page of a job, and wait until the first frame has its boxes."""
    open_job(page, job)
    page.wait_for_function(SHOWN)


def found(api, job, what, **query):
    answer = api.get(f"/v1/jobs/{job['id']}/{what}", params={"limit": 1000, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_video_plays_with_boxes_in_time(page, done, api):
    detections = found(api, done, "detections")["detections"]
    times = sorted({one["time_s"] for one in detections})
    watch(page, done)
    for time in (times[0], times[len(times) // 2], times[-1]):
        expected = sum(one["time_s"] == time for one in detections)
        page.evaluate(
            "(time) => (document.getElementById('video').currentTime = time + 0.01)", time
        )
        page.wait_for_function(
            "([time, objects]) => Math.abs(document.getElementById('seek').value - time) < 0.02"
            " && document.getElementById('overlay').dataset.objects === String(objects)",
            arg=[time, expected],
        )
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Play").wait_for()
    page.wait_for_function("() => document.getElementById('video').ended")


def test_a_click_on_a_track_goes_there(page, done, api):
    tracks = found(api, done, "tracks")["tracks"]
    track = max(tracks, key=lambda one: one["first_s"])
    watch(page, done)
    lane = page.get_by_role("option", name=f"Track {track['track_id']},").first
    lane.scroll_into_view_if_needed()
    lane.click()
    page.wait_for_function(
        "([from, to]) => { const { currentTime } = document.getElementById('video');"
        " return currentTime >= from && currentTime <= to + 0.04; }",
        arg=[track["first_s"], track["last_s"]],
    )
    chosen = page.locator("#track-rows [role=option].chosen")
    assert chosen.get_attribute("aria-label").startswith(f"Track {track['track_id']},")
    page.keyboard.press("Escape")
    chosen.wait_for(state="detached")


def test_bars_of_dark_colours_have_a_light_rim_on_a_dark_page(page, done):
    page.emulate_media(color_scheme="dark")
    watch(page, done)
    rim = page.locator(".lane-track i").first.evaluate("(bar) => getComputedStyle(bar).boxShadow")
    *white, alpha = map(float, re.match(r"rgba\((.*?)\)", rim)[1].split(","))
    assert white == [255, 255, 255]
    surface = page.locator(".panel").first.evaluate(
        "(panel) => getComputedStyle(panel).backgroundColor"
    )
    ground = luminance([float(channel) for channel in re.findall(r"\d+", surface)])
    for color in map(color_of, range(21)):
        edge = luminance([255 * alpha + channel * (1 - alpha) for channel in reversed(color)])
        assert (edge + 0.05) / (ground + 0.05) > 3, "WCAG 1.4.11, of what is no text"


def luminance(rgb):
    """Compute the relative luminance of WCAG 2."""
    shares = [channel / 255 for channel in rgb]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_timeline_and_the_list_work_by_keyboard(page, done, api):
    tracks = found(api, done, "tracks")["tracks"]
    watch(page, done)
    for name in ("#timeline", "#track-rows"):
        box = page.locator(name)
        box.focus()
        page.keyboard.press("End")
        page.keyboard.press("ArrowUp")
        track = tracks[-2]
        active = page.locator(f"#{box.get_attribute('aria-activedescendant')}")
        assert active.get_attribute("aria-label").startswith(f"Track {track['track_id']},")
        assert active.get_attribute("aria-selected") == "true"
        page.keyboard.press("Enter")
        page.wait_for_function(
            "(time) => Math.abs(document.getElementById('seek').value - time) < 0.02",
            arg=track["first_s"],
        )
        page.keyboard.press("Home")
        page.keyboard.press("Enter")
        page.wait_for_function(
            "(time) => Math.abs(document.getElementById('seek').value - time) < 0.02",
            arg=tracks[0]["first_s"],
        )


def test_tracks_are_searched_by_number_and_class(page, done, api):
    tracks = found(api, done, "tracks")["tracks"]
    watch(page, done)
    name = tracks[0]["class"]
    of_class = [one for one in tracks if one["class"] == name]
    page.get_by_label("Search by track or class").fill(name[:3].upper())
    page.locator("#found").get_by_text(f"{len(of_class)} of {len(tracks)} tracks").wait_for()
    page.get_by_label("Search by track or class").fill(f"#{tracks[-1]['track_id']}")
    page.locator("#found").get_by_text(f"1 of {len(tracks)} tracks").wait_for()
    assert page.locator("#track-rows [role=option]").count() == 1
    assert page.locator("#timeline [role=option]").count() == 1
    page.get_by_label("Search by track or class").fill("unicorn")
    page.get_by_text("No track fits the search.").wait_for()


def test_detections_are_listed_and_searched(page, done, api):
    track = found(api, done, "tracks")["tracks"][0]
    detections = found(api, done, "detections", track=track["track_id"])["detections"]
    watch(page, done)
    page.get_by_role("tab", name="Detections").click()
    page.get_by_label("Search by track or class").fill(str(track["track_id"]))
    page.locator("#found").get_by_text(f"{len(detections)} detections", exact=True).wait_for()
    last = detections[-1]
    page.locator("#detection-rows").focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "(time) => Math.abs(document.getElementById('seek').value - time) < 0.02",
        arg=last["time_s"],
    )
    page.get_by_role("tab", name="Detections").press("ArrowLeft")
    assert page.get_by_role("tab", name="Tracks").get_attribute("aria-selected") == "true"
    page.locator("#detection-list").wait_for(state="hidden")


def test_a_number_beyond_all_tracks_finds_nothing(page, done):
    watch(page, done)
    page.get_by_label("Search by track or class").fill("9" * 20)
    page.locator("#found").get_by_text(re.compile("^0 of ")).wait_for()
    page.get_by_role("tab", name="Detections").click()
    page.locator("#found").get_by_text("0 detections", exact=True).wait_for()


def test_a_class_with_a_digit_in_its_name_is_searched(page, submit, workshop, services):
    job = submit()
    lease, index = begin_final(workshop, services)
    for frame in make_frames(2, tracks=3, name="class 2"):
        index.write(frame)
    index.close()
    services.store.renew(
        lease, LeaseReport(frames_done=2), policy=workshop.policy, now_s=services.clock()
    )
    open_job(page, job)
    page.locator("#found").get_by_text("3 tracks", exact=True).wait_for()
    page.get_by_label("Search by track or class").fill("class 2")
    page.locator("#found").get_by_text("3 of 3 tracks").wait_for()
    page.get_by_role("tab", name="Detections").click()
    page.locator("#found").get_by_text("6 detections", exact=True).wait_for()
    page.get_by_label("Search by track or class").fill("2")
    page.locator("#found").get_by_text("2 detections", exact=True).wait_for()


LISTED = re.compile("/detections.*limit=200")


def test_detections_that_are_refused_say_why_and_can_be_tried_again(
    page, done, expected_complaints
):
    expected_complaints.append("403")
    refusal = {"json": {"detail": "the key does not allow it"}, "status": 403}
    page.route(LISTED, lambda route: route.fulfill(**refusal))
    watch(page, done)
    page.get_by_role("tab", name="Detections").click()
    page.get_by_role("alert").get_by_text("The key does not allow it.").wait_for()
    assert page.locator("#found").inner_text() == ""
    page.unroute(LISTED)
    page.get_by_role("button", name="Try again").press("Enter")
    page.locator("#detection-rows [role=option]").first.wait_for()
    page.locator("#detections-trouble").wait_for(state="hidden")
    assert page.evaluate("() => document.activeElement.id") == "detection-rows"


@pytest.mark.parametrize("status", [0, 429, 503])
def test_detections_come_by_themselves_when_the_server_answers_again(
    page, done, expected_complaints, status
):
    expected_complaints.append(str(status) if status else "ERR_FAILED")
    fail = (lambda route: route.fulfill(status=status)) if status else (lambda route: route.abort())
    page.route(LISTED, fail, times=1)
    watch(page, done)
    page.get_by_role("tab", name="Detections").click()
    page.get_by_role("button", name="Try again").wait_for()
    page.locator("#detection-rows [role=option]").first.wait_for()
    page.locator("#detections-trouble").wait_for(state="hidden")


def test_downloads_that_are_refused_say_why_and_can_be_tried_again(page, done, expected_complaints):
    expected_complaints.append("403")
    refusal = {"json": {"detail": "the key does not allow it"}, "status": 403}
    page.route("**/results", lambda route: route.fulfill(**refusal))
    watch(page, done)
    page.get_by_role("alert").get_by_text("The key does not allow it.").wait_for()
    assert page.get_by_text("They are offered when the job is done.").is_hidden()
    page.unroute("**/results")
    page.get_by_role("button", name="Try again").press("Enter")
    page.get_by_role("link", name="mot.txt").wait_for()
    page.locator("#downloads-trouble").wait_for(state="hidden")
    assert page.evaluate("() => document.activeElement.href").endswith("/results/tracks")


@pytest.mark.parametrize("status", [0, 429, 503])
def test_downloads_come_by_themselves_when_the_server_answers_again(
    page, done, expected_complaints, status
):
    expected_complaints.append(str(status) if status else "ERR_FAILED")
    fail = (lambda route: route.fulfill(status=status)) if status else (lambda route: route.abort())
    page.route("**/results", fail, times=2)
    watch(page, done)
    page.get_by_role("button", name="Try again").wait_for()
    page.get_by_role("link", name="mot.txt").wait_for()
    page.locator("#downloads-trouble").wait_for(state="hidden")


def test_tracks_of_a_job_that_is_over_come_when_the_server_answers_again(
    page, done, expected_complaints
):
    expected_complaints.append("503")
    page.route("**/tracks?*", lambda route: route.fulfill(status=503), times=1)
    watch(page, done)
    page.locator("#track-rows [role=option]").first.wait_for()


def test_every_format_can_be_downloaded(page, done, api):
    files = api.get(f"/v1/jobs/{done['id']}/results").json()["results"]
    watch(page, done)
    links = page.locator("#downloads a")
    links.first.wait_for()
    assert links.all_inner_texts() == [file["name"] for file in files]
    assert {file["format"] for file in files} >= {"tracks", "jsonl", "csv", "mot", "coco", "video"}
    with page.expect_download() as download:
        page.get_by_role("link", name="mot.txt").click()
    content = download.value.path().read_bytes()
    assert content == api.get(f"/v1/jobs/{done['id']}/results/mot").content
    assert content.count(b"\n") > 50


def test_counts_are_a_chart_and_a_table(page, done, api):
    bins = api.get(f"/v1/jobs/{done['id']}/counts", params={"bins": 240}).json()["bins"]
    peaks = {}
    for one in bins:
        for name, most in one["most"].items():
            peaks[name] = max(peaks.get(name, 0), most)
    watch(page, done)
    for name, peak in peaks.items():
        page.get_by_role("img", name=f"{name}: at most {peak} at once").wait_for()
    page.get_by_text("As a table", exact=True).click()
    table = page.get_by_role("table", name="Most objects in one frame, by class and time")
    assert set(table.get_by_role("columnheader").all_inner_texts()) == {"Time", *peaks}
    assert table.get_by_role("row").count() == len(bins) + 1
    chart = page.locator("#counts svg").first
    box = chart.bounding_box()
    chart.click(position={"x": box["width"] / 2, "y": 5})
    page.wait_for_function("() => Math.abs(document.getElementById('seek').value - 1) < 0.1")


@pytest.mark.parametrize(
    ("plays", "length_s"), [(True, 2.0), (False, 1.6)], ids=["video", "no-video"]
)
def test_a_range_of_the_video_lies_where_it_is_on_the_axis_of_time(
    page, submit, workshop, api, expected_complaints, *, plays, length_s
):
    if not plays:
        expected_complaints.append("ERR_FAILED")
        page.route("**/video", lambda route: route.abort())
    job = submit(start_s=1.0, end_s=1.6)
    workshop.do_all()
    open_job(page, job)
    page.locator("#time").get_by_text(f"/ 0:0{length_s}").wait_for()
    track = found(api, job, "tracks")["tracks"][0]
    bins = api.get(f"/v1/jobs/{job['id']}/counts", params={"bins": 240}).json()["bins"]
    bar = page.get_by_role("option", name=f"Track {track['track_id']},").locator("i").first
    assert float(bar.evaluate("(bar) => parseFloat(bar.style.left)")) == pytest.approx(
        100 * track["first_s"] / length_s, abs=0.1
    )
    outline = page.locator("#counts path").first.get_attribute("d")
    assert float(re.match(r"M([\d.]+) ", outline)[1]) == pytest.approx(
        1000 * bins[0]["start_s"] / length_s, abs=1
    )


def test_the_range_is_shown_as_it_was_given(page, submit, workshop):
    job = submit(start_s=0.05, end_s=1.996)
    workshop.do_one(TaskKind.INGEST)
    open_job(page, job)
    page.locator("#facts").get_by_text("0:00.05 to 0:02", exact=True).wait_for()


def test_rows_fit_a_narrow_screen_beneath_their_heads(page, done):
    page.set_viewport_size({"width": 305, "height": 800})  # 320 pixels less a scroll bar
    watch(page, done)
    for tab in ("track", "detection"):
        page.get_by_role("tab", name=f"{tab}s").click()
        page.locator(f"#{tab}-rows [role=option]").first.wait_for()
        head = edges(page.locator(f"#{tab}-list .row-head"))
        row = edges(page.locator(f"#{tab}-rows [role=option]").first)
        assert row == head
        box = page.locator(f"#{tab}-rows").bounding_box()
        assert row[-1][1] <= box["x"] + box["width"]


def edges(row):
    """Left and right edges of the cells of a row, in pixels."""
    return row.evaluate(
        "(row) => [...row.children].map((cell) => cell.getBoundingClientRect())"
        ".filter(({ width }) => width > 0).map(({ left, right }) => [left, right])"
    )


def test_one_step_is_one_frame(page, done):
    watch(page, done)
    seen = [0.0]
    for _ in range(3):
        page.get_by_role("button", name="One frame on").click()
        page.wait_for_function(
            "(last) => document.getElementById('seek').value > last + 0.02", arg=seen[-1]
        )
        seen.append(float(page.locator("#seek").input_value()))
    assert np.allclose(np.diff(seen), 1 / 25, atol=1e-3)
    page.get_by_role("button", name="One frame back").click()
    page.wait_for_function(
        "(time) => Math.abs(document.getElementById('seek').value - time) < 0.01", arg=seen[-2]
    )
    page.locator("#player").get_by_role("button", name="Play").focus()
    page.keyboard.press(".")
    page.wait_for_function(
        "(time) => Math.abs(document.getElementById('seek').value - time) < 0.01", arg=seen[-1]
    )


def test_boxes_labels_and_trails_can_be_turned_off(page, done, expected_complaints):
    expected_complaints.append("willReadFrequently")
    watch(page, done)
    page.evaluate("() => (document.getElementById('video').currentTime = 1.5)")
    page.wait_for_function("() => document.getElementById('seek').value > 1.4")
    page.wait_for_function(SHOWN)
    canvas = page.locator("#overlay")
    painted = [canvas.evaluate(PAINTED)]
    for name in ("Labels", "Boxes", "Trails"):
        page.get_by_label(name, exact=True).uncheck(force=True)
        painted.append(canvas.evaluate(PAINTED))
    assert painted[0] > painted[1] > painted[2] > painted[3] == 0


def test_the_speed_is_chosen(page, done):
    watch(page, done)
    page.get_by_label("Speed").select_option("0.5")
    assert page.evaluate("() => document.getElementById('video').playbackRate") == 0.5


@pytest.mark.parametrize("ratio", [1, 2])
def test_the_drawing_follows_the_size_of_the_video_and_the_screen(browser, address, done, ratio):
    page = browser.new_page(base_url=address, device_scale_factor=ratio)
    for width in (1200, 500):
        page.set_viewport_size({"width": width, "height": 800})
        watch(page, done)
        page.wait_for_function(
            "(ratio) => { const canvas = document.getElementById('overlay');"
            " const video = document.getElementById('video');"
            " return canvas.clientWidth === video.clientWidth"
            " && canvas.clientHeight === video.clientHeight"
            " && canvas.width === Math.round(canvas.clientWidth * ratio); }",
            arg=ratio,
        )
    page.close()


def make_frames(count, *, tracks=1, start=0, name="person"):
    """Frames in which every object is on a track of its own number."""
    boxes = np.tile(np.array([[10, 10, 60, 90]], np.float32), (tracks, 1))
    for seq in range(start, start + count):
        yield Frame(
            image=np.broadcast_to(np.uint8(0), (180, 320, 3)),
            seq=seq,
            pts=seq,
            time_base=Fraction(1, 25),
            detections=Detections(
                xyxy=boxes,
                confidence=np.full(tracks, 0.9, np.float32),
                class_id=np.zeros(tracks, np.int64),
                track_id=np.arange(tracks, dtype=np.int64) + start,
                class_names=(name,),
            ),
        )


def begin_final(workshop, services):
    """Do a job up to its final pass; give the lease of that, and the index it would write."""
    assert workshop.do_one(TaskKind.INGEST)
    while workshop.do_one(TaskKind.CHUNK):
        pass
    lease = workshop.claim(TaskKind.FINAL)
    index = IndexFile(services.storage.job(lease.job.id).final(lease.token) / RESULTS_INDEX)
    index.open(StreamInfo(name="street", width=320, height=180, time_base=Fraction(1, 25)))
    return lease, index


def test_tracks_appear_while_the_job_runs(page, submit, workshop, services):
    job = submit()
    open_job(page, job)
    page.get_by_text("Next in the queue").wait_for()
    lease, index = begin_final(workshop, services)
    page.locator("#state").get_by_text("Finishing").wait_for()

    def add(count, start):
        for frame in make_frames(count, start=start):
            index.write(frame)
        index.flush()
        services.store.renew(
            lease,
            LeaseReport(frames_done=start + count),
            policy=workshop.policy,
            now_s=services.clock(),
        )

    add(10, 0)
    page.locator("#timeline-hint").get_by_text("1 track", exact=True).wait_for()
    page.wait_for_function(SHOWN)
    add(10, 10)
    page.locator("#timeline-hint").get_by_text("2 tracks", exact=True).wait_for()
    index.close()


def test_thousands_of_tracks_scroll_with_few_elements(page, submit, workshop, services):
    job = submit()
    lease, index = begin_final(workshop, services)
    for frame in make_frames(2, tracks=5000):
        index.write(frame)
    index.close()
    services.store.renew(
        lease, LeaseReport(frames_done=2), policy=workshop.policy, now_s=services.clock()
    )
    open_job(page, job)
    page.locator("#timeline-hint").get_by_text("5,000 tracks").wait_for()
    for name in ("#timeline", "#track-rows"):
        page.locator(name).focus()
        page.keyboard.press("End")
        page.locator(f"{name} [aria-posinset='5000']").wait_for()
        assert page.locator(f"{name} [role=option]").count() < 80


def test_progress_comes_by_long_poll_where_events_are_cut_off(
    page, submit, workshop, expected_complaints
):
    expected_complaints.append("ERR_FAILED")
    page.route("**/events", lambda route: route.abort())
    job = submit()
    open_job(page, job)
    page.get_by_text("Next in the queue").wait_for()
    workshop.do_all()
    page.locator("#state").get_by_text("Succeeded").wait_for()
    page.wait_for_function(SHOWN)


def test_a_job_that_ends_while_it_is_watched_offers_its_results(page, submit, workshop):
    job = submit()
    open_job(page, job)
    page.locator("#state").get_by_text("Queued").wait_for()
    workshop.start()
    page.locator("#state").get_by_text("Succeeded").wait_for()
    page.wait_for_function(SHOWN)
    page.get_by_role("link", name="tracks.json").wait_for()
    page.locator("#announcer").get_by_text("Succeeded.").wait_for(state="attached")


def test_a_failed_job_says_why_and_can_be_retried(page, api, workshop):
    body = {"source_url": "http://127.0.0.1:9/a.mp4", "params": {"detector": "demo"}}
    job = api.post("/v1/jobs", json=body).json()
    workshop.do_all()
    open_job(page, job)
    page.locator("#state").get_by_text("Failed").wait_for()
    error = api.get(f"/v1/jobs/{job['id']}").json()["error"]
    assert error["message"][1:] in page.locator("#error").inner_text()
    page.get_by_role("button", name="Retry").click()
    page.locator("#state").get_by_text("Queued").wait_for()
    workshop.do_all()
    page.locator("#state").get_by_text("Failed").wait_for()


def test_a_canceled_job_is_said_to_be_and_can_be_deleted(page, submit, api):
    job = submit()
    open_job(page, job)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("The job was canceled.").wait_for()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_text("No jobs yet").wait_for()
    assert api.get(f"/v1/jobs/{job['id']}").status_code == 404


def test_what_is_canceled_while_it_runs_keeps_the_beginning(page, submit, workshop, api):
    job = submit()
    workshop.do_one(TaskKind.INGEST)
    while workshop.do_one(TaskKind.CHUNK):
        pass
    lease = workshop.claim(TaskKind.FINAL)
    api.post(f"/v1/jobs/{job['id']}/cancel")
    open_job(page, job)
    page.locator("#state").get_by_text("Canceling").wait_for()
    assert page.get_by_role("button", name="Cancel").is_hidden()
    workshop.give_back(lease)
    page.locator("#state").get_by_text("Canceled").wait_for()


def test_results_that_an_earlier_try_left_are_shown(page, submit, workshop, services, api):
    job = submit(outputs=["mot"])
    lease, index = begin_final(workshop, services)
    for frame in make_frames(2, tracks=3):
        index.write(frame)
    index.close()
    publish(services.storage.job(job["id"]), lease.token)
    api.post(f"/v1/jobs/{job['id']}/cancel")
    part = Finalized(frames=2, partial=True, summary={"frames": 2})
    services.store.finish_final(lease, part, policy=workshop.policy, now_s=services.clock())
    for action in ("retry", "cancel"):
        assert api.post(f"/v1/jobs/{job['id']}/{action}").is_success
    left = api.get(f"/v1/jobs/{job['id']}").json()
    assert (left["partial"], left["progress"]["frames_final"]) == (True, 2)
    watch(page, job)
    page.locator("#found").get_by_text("3 tracks", exact=True).wait_for()
    assert "The results cover the beginning" in page.locator("#doing").inner_text()


def test_a_job_that_does_not_exist_is_said_not_to(page, expected_complaints):
    expected_complaints.append("404")
    page.goto("/jobs/018f0000-0000-7000-8000-000000000000")
    page.get_by_role("heading", name="No such job").wait_for()


def test_a_hostile_name_is_text(page, submit, workshop):
    job = submit(HOSTILE, labels={"site": HOSTILE})
    workshop.do_all()
    watch(page, job)
    assert page.get_by_role("heading", level=1).inner_text() == HOSTILE
    assert page.title().startswith(HOSTILE)
    assert HOSTILE in page.locator("#facts").inner_text()
    assert page.locator("main img").count() == 0


def test_without_a_tracker_the_detections_are_shown(page, submit, workshop):
    job = submit(params={"tracker": "none"})
    workshop.do_all()
    watch(page, job)
    page.locator("#detection-rows [role=option]").first.wait_for()
    page.get_by_text("No tracks").first.wait_for()
