r"""The program that a `Window` runs: one Tk window that shows the pictures it is sent.

It is started by its path, uses the standard library alone, and knows nothing of Sightline, so it
starts quickly and a fault of Tk or of the display cannot harm the pipeline.

    standard input    a picture: length, 4 bytes, highest first; binary PPM of that length
    standard output   "WIDTH HEIGHT\n"    ready for a picture, which should fit into this
                      "error REASON\n"    no window can be opened; the program ends

It ends at the end of its input, by the key q or Escape, and when the window is closed.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tkinter as tk

__all__ = ["main"]

_HEAD_BYTES = 4
_READ_BYTES = 1 << 20
_PART_OF_SCREEN = 0.8
_PAUSE_MS = 40  # between the requests: at most 25 pictures per second
_INPUT = 0
_OUTPUT = 1


class _Viewer:
    def __init__(self, root: tk.Tk, title: str) -> None:
        import tkinter as tk

        self._root = root
        self._received = bytearray()
        self._picture = tk.PhotoImage(master=root)
        self._is_visible = False
        label = tk.Label(root, image=self._picture, background="black", borderwidth=0)
        label.pack(fill="both", expand=True)
        root.title(title)
        root.configure(background="black")
        for event in ("<q>", "<Escape>"):
            root.bind(event, lambda _: root.destroy())
        root.tk.createfilehandler(_INPUT, tk.READABLE, lambda *_: self._read())
        root.withdraw()  # until there is something to show
        self._ask()

    def _ask(self) -> None:
        """Ask for a picture that fits the window, or before it is there, the screen."""
        if not self._is_visible:
            width = round(self._root.winfo_screenwidth() * _PART_OF_SCREEN)
            height = round(self._root.winfo_screenheight() * _PART_OF_SCREEN)
        else:
            width, height = self._root.winfo_width(), self._root.winfo_height()
        os.write(_OUTPUT, f"{width} {height}\n".encode())

    def _read(self) -> None:
        part = os.read(_INPUT, _READ_BYTES)
        if not part:
            self._root.destroy()
            return
        self._received += part
        length = int.from_bytes(self._received[:_HEAD_BYTES])
        if len(self._received) >= _HEAD_BYTES + length:  # never more: there is one per request
            ppm = bytes(self._received[_HEAD_BYTES:])
            self._received.clear()
            self._show(ppm)

    def _show(self, ppm: bytes) -> None:
        self._picture.configure(data=ppm, format="PPM")
        if not self._is_visible:
            # From now on the user decides the size, not the pictures.
            self._root.geometry(f"{self._picture.width()}x{self._picture.height()}")
            self._root.deiconify()
            self._is_visible = True
        self._root.update_idletasks()
        self._root.after(_PAUSE_MS, self._ask)


def main() -> None:
    """Open the window and show what comes, until the end."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # nobody is left to ask for pictures: quietly end
    try:
        import tkinter as tk
    except ImportError:
        _refuse("this Python has no tkinter; install it (Debian: python3-tk), or use sl.Web()")
        return
    try:
        root = tk.Tk(className="Sightline")
    except tk.TclError as error:
        _refuse(str(error))
        return
    _Viewer(root, sys.argv[1])
    root.mainloop()


def _refuse(reason: str) -> None:
    os.write(_OUTPUT, f"error {' '.join(reason.split())}\n".encode())


if __name__ == "__main__":
    main()
