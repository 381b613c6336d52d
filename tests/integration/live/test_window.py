"""Windows on a virtual display: what they show, and how they end."""

import os
import shutil
import struct
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import OutputError
from sightline.frame import Frame
from sightline.live import window as window_module
from sightline.live.window import Window

COLOR = (200, 120, 40)  # BGR


class Display:
    """A virtual display whose pixels lie in a file."""

    def __init__(self, folder):
        reading, writing = os.pipe()
        options = ["-screen", "0", "800x600x24", "-fbdir", str(folder), "-nolisten", "tcp"]
        self.process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writing), *options],
            pass_fds=[writing],
            stderr=subprocess.DEVNULL,
        )
        os.close(writing)
        with os.fdopen(reading) as numbers:
            self.name = f":{numbers.readline().strip()}"
        self._file = Path(folder) / "Xvfb_screen0"

    def pixels(self):
        """Read the screen as BGR; the layout is that of `xwd`."""
        content = self._file.read_bytes()
        head = struct.unpack(">25I", content[:100])
        width, height, bytes_per_line = head[4], head[5], head[12]
        start = head[0] + head[19] * 12
        pixels = np.frombuffer(content, np.uint8, offset=start, count=height * bytes_per_line)
        return pixels.reshape(height, bytes_per_line)[:, : width * 4].reshape(height, width, 4)[
            ..., :3
        ]

    def shows(self, color):
        """Count the pixels of a colour."""
        return int((self.pixels() == color).all(axis=-1).sum())

    def press(self, key):
        """Press a key in the first window there is."""
        search = ["xdotool", "search", "--onlyvisible", "--class", "Sightline"]
        subprocess.run([*search, "windowfocus", "--sync"], check=True, stdout=subprocess.PIPE)
        subprocess.run(["xdotool", "key", key], check=True)

    def close(self):
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def display(missing, tmp_path, monkeypatch):
    for program in ("Xvfb", "xdotool"):
        if shutil.which(program) is None:
            missing(f"{program} (tests/debian-packages.txt)")
    if find_spec("_tkinter") is None:
        missing("a Python with tkinter (Debian: python3-tk)")
    display = Display(tmp_path)
    monkeypatch.setenv("DISPLAY", display.name)
    yield display
    display.close()


def frame_of(size=(300, 200), color=COLOR, seq=0):
    width, height = size
    return Frame(image=np.full((height, width, 3), color, np.uint8), seq=seq, pts=seq)


def show(window, display, wait_until, frame, color=COLOR):
    """Write a frame again and again until it is on the screen; return its number of pixels."""

    def is_shown():
        window.write(frame)
        return display.shows(color)

    return wait_until(is_shown)


def test_a_frame_appears_in_its_size_and_colours_and_goes_with_the_sink(
    display, stream_of, wait_until
):
    with Window() as window:
        window.open(stream_of("gate"))
        assert show(window, display, wait_until, frame_of()) == 300 * 200
        show(window, display, wait_until, frame_of(color=(1, 2, 3)), color=(1, 2, 3))
        assert display.shows(COLOR) == 0
    assert display.shows((1, 2, 3)) == 0


def test_gray_frames_are_shown(display, stream_of, wait_until):
    gray = Frame(image=np.full((50, 60), 77, np.uint8), seq=0, pts=0)
    with Window() as window:
        window.open(stream_of("gate"))
        show(window, display, wait_until, gray, color=(77, 77, 77))


def test_a_frame_larger_than_the_screen_is_scaled_down(display, stream_of, wait_until):
    with Window() as window:
        window.open(stream_of("gate"))
        assert show(window, display, wait_until, frame_of((3200, 1600))) == 640 * 320


@pytest.mark.parametrize("key", ["q", "Escape"])
def test_a_key_ends_the_window_and_later_frames_are_ignored(display, stream_of, wait_until, key):
    with Window() as window:
        window.open(stream_of("gate"))
        show(window, display, wait_until, frame_of())

        def is_gone():
            window.write(frame_of())
            return display.shows(COLOR) == 0

        display.press(key)
        wait_until(is_gone)
        for seq in range(100):
            window.write(frame_of(seq=seq))
    window.open(stream_of("gate"))
    show(window, display, wait_until, frame_of())
    window.close()


def test_a_display_that_goes_away_does_no_harm(display, stream_of, wait_until):
    with Window() as window:
        window.open(stream_of("gate"))
        show(window, display, wait_until, frame_of())
        display.close()
        wait_until(lambda: window.write(frame_of()) or not window._shown._thread.is_alive())
        window.write(frame_of())


def test_every_stream_has_a_window_of_its_own(display, stream_of, wait_until):
    sinks = [Window().for_stream(stream_of(name)) for name in "ab"]
    for sink, name in zip(sinks, "ab", strict=True):
        sink.open(stream_of(name))
    colors = [(10, 20, 30), (30, 20, 10)]
    show(sinks[0], display, wait_until, frame_of((400, 300), colors[0]), colors[0])
    show(sinks[1], display, wait_until, frame_of((200, 100), colors[1]), colors[1])
    assert display.shows(colors[0]) == 400 * 300 - 200 * 100
    for sink in sinks:
        sink.close()


def test_closing_at_any_moment_leaves_no_program_behind(display, stream_of):
    for frames in (0, 1, 50):
        window = Window()
        window.open(stream_of("caf\udce9"))
        program = window._shown._process
        for seq in range(frames):
            window.write(frame_of((1920, 1080), seq=seq))
        window.close()
        assert program.returncode is not None
        window.close()


def test_opening_an_open_window_is_an_error(display, stream_of):
    with Window() as window:
        window.open(stream_of("gate"))
        with pytest.raises(RuntimeError, match="open already"):
            window.open(stream_of("gate"))


def test_without_a_display_the_error_says_so(monkeypatch, stream_of, missing):
    if find_spec("_tkinter") is None:
        missing("a Python with tkinter (Debian: python3-tk)")
    monkeypatch.delenv("DISPLAY", raising=False)
    window = Window()
    with pytest.raises(OutputError, match=r"cannot open a window: no display") as caught:
        window.open(stream_of("gate"))
    assert "\n" not in str(caught.value)
    window.close()


def test_without_tkinter_the_error_says_what_to_install(monkeypatch, stream_of, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import runpy, sys\n"
        "sys.modules['tkinter'] = None\n"
        f"runpy.run_path({str(window_module._PROGRAM)!r}, run_name='__main__')\n"
    )
    monkeypatch.setattr(window_module, "_PROGRAM", program)
    with pytest.raises(OutputError, match=r"this Python has no tkinter; install it \(Debian: py"):
        Window().open(stream_of("gate"))


def test_a_program_that_cannot_start_is_an_error(monkeypatch, stream_of, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("raise SystemExit(1)")
    monkeypatch.setattr(window_module, "_PROGRAM", program)
    with pytest.raises(OutputError, match="cannot open a window: its program does not start"):
        Window().open(stream_of("gate"))
