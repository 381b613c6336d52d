"""The sink that shows a stream in a window of the desktop."""

from __future__ import annotations

import contextlib
import select
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.errors import OutputError
from sightline.live.pictures import copy_to_fit, encode_ppm

if TYPE_CHECKING:
    from typing import Self

    from sightline.frame import Frame, Image
    from sightline.stream import StreamInfo

__all__ = ["Window"]

_PROGRAM = Path(__file__).with_name("window_process.py")
_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 2.0


class Window:
    """Shows the frames of one stream in a window; `for_stream` makes a window per stream.

    The window is a program of its own, so that neither Tk nor the display can disturb the
    pipeline. Writing never waits for it: it gets the newest frame whenever it is ready, up to 25
    a second. The key q, Escape or closing the window ends it; later frames are ignored.

    It needs Python's tkinter and a display.
    """

    def __init__(self) -> None:
        self._shown: _Program | None = None

    def for_stream(self, stream: StreamInfo) -> Window:  # noqa: ARG002 - one is like the other
        """Make a window for one of several streams."""
        return Window()

    def open(self, stream: StreamInfo) -> None:
        """Start the window; it appears with the first frame.

        Raises:
            OutputError: No window can be opened, as without a display or without tkinter.
        """
        if self._shown is not None:
            raise RuntimeError("Window is open already")
        self._shown = _Program(stream.name.encode(errors="replace").decode())

    def write(self, frame: Frame) -> None:
        """Show a frame; never blocks, and does not use the image after its return."""
        if self._shown is None:
            raise RuntimeError("Window is not open")
        self._shown.offer(frame.image)

    def close(self) -> None:
        """Take the window away."""
        shown, self._shown = self._shown, None
        if shown is not None:
            shown.end()

    def discard(self) -> None:
        """Do what `close()` does: nothing of what was shown remains."""
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Program:
    """The running program of a window, and the thread that serves it."""

    def __init__(self, title: str) -> None:
        # In a session of its own Ctrl-C does not reach it; it ends when its input does.
        self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            [sys.executable, "-I", str(_PROGRAM), title],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._changed = threading.Condition()
        self._room: tuple[int, int] | None = None  # what the wanted picture has to fit into
        self._picture: Image | None = None
        self._over = False
        self._is_first = True
        first = self._first_request()
        self._thread = threading.Thread(
            target=self._serve, args=(first,), name="sightline-window", daemon=True
        )
        self._thread.start()

    def _first_request(self) -> bytes:
        """Wait until the program is ready.

        Raises:
            OutputError: It is not, and says why.
        """
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], _START_TIMEOUT_S)
        line = self._process.stdout.readline() if readable else b""
        if line and not line.startswith(b"error "):
            return line
        reason = line.removeprefix(b"error ").decode(errors="replace").strip()
        self._stop_process()
        raise OutputError(f"cannot open a window: {reason or 'its program does not start'}")

    def offer(self, image: Image) -> None:
        """Hand an image over if the window waits for one; a copy, fit to its size."""
        room = self._room
        if room is None or not image.size:
            return
        width, height = room
        picture = copy_to_fit(image, width=width, height=height, enlarge=not self._is_first)
        with self._changed:
            self._room = None
            self._is_first = False
            self._picture = picture
            self._changed.notify()

    def end(self) -> None:
        """End program and thread."""
        with self._changed:
            self._over = True
            self._changed.notify()
        self._process.terminate()
        self._thread.join()
        self._stop_process()

    def _serve(self, request: bytes) -> None:
        assert self._process.stdout is not None
        # A window that was closed, or killed, breaks the pipe: nothing more is to be shown.
        with contextlib.suppress(OSError, ValueError):
            while request:
                width, height = map(int, request.split())
                picture = self._wait_for_picture((width, height))
                if picture is None:
                    return
                self._send(picture)
                request = self._process.stdout.readline()

    def _wait_for_picture(self, room: tuple[int, int]) -> Image | None:
        with self._changed:
            self._room = room
            self._changed.wait_for(lambda: self._picture is not None or self._over)
            picture, self._picture = self._picture, None
            return None if self._over else picture

    def _send(self, picture: Image) -> None:
        assert self._process.stdin is not None
        ppm = encode_ppm(picture)
        self._process.stdin.write(len(ppm).to_bytes(4) + ppm)
        self._process.stdin.flush()

    def _stop_process(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # what the program has not read
                assert pipe is not None
                pipe.close()
