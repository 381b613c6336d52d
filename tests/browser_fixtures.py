"""A page of a service in a real browser, which complains of nothing, or the test fails."""

import os
import shutil
import signal
import threading
from contextlib import suppress

import pytest
from tests.graph_witness import children_of

__all__ = ["browser", "expected_complaints", "page"]

TIMEOUT_MS = 60_000
_CLOSE_S = 30.0


@pytest.fixture(scope="module")
def browser(missing):
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium-headless-shell")
    if path is None:
        missing("Debian's chromium-headless-shell (tests/debian-packages.txt)")
    before = children_of(os.getpid())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        started = [pid for pid in children_of(os.getpid()) if pid not in before]
        # A browser that hangs fails its tests, but not those that come after them.
        too_late = threading.Timer(_CLOSE_S, _kill, [started])
        too_late.start()
        try:
            browser.close()
        finally:
            too_late.cancel()


def _kill(pids):
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def expected_complaints():
    """Parts of what the browser may complain of; a test adds what it provokes."""
    return []


@pytest.fixture
def page(browser, address, expected_complaints):
    """A page whose browser complains of nothing: scripts, the network, the content policy."""
    complaints = []
    page = browser.new_page(base_url=address, accept_downloads=True)
    page.set_default_timeout(TIMEOUT_MS)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def answer(dialog):
        if dialog.type == "beforeunload":
            dialog.accept()
        else:
            complaints.append(dialog.message)
            dialog.dismiss()

    page.on("dialog", answer)
    yield page
    page.close()
    others = [text for text in complaints if not any(part in text for part in expected_complaints)]
    assert others == [], others
