"""A disk that is full when a test says so."""

import resource
import subprocess
from contextlib import suppress

__all__ = ["Quota", "SmallDisk", "may_mount"]

_SIZE = 64 * 2**20
_BLOCK = bytes(2**20)


class SmallDisk:
    """A file system of its own, in memory; needs the right to mount.

    Args:
        folder: Where to mount it.
    """

    def __init__(self, folder):
        self.folder = folder
        self._rest = folder / "rest"

    def fill(self, pids):
        """Leave no room at all."""
        del pids
        with suppress(OSError), self._rest.open("wb", buffering=0) as file:
            while file.write(_BLOCK):
                pass
        with suppress(OSError), self._rest.open("ab", buffering=0) as file:
            while file.write(_BLOCK[:1]):
                pass

    def empty(self, pids):
        """Make room again."""
        del pids
        self._rest.unlink()

    def __enter__(self):
        self.folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(self.folder)]
        subprocess.run(mount, check=True, capture_output=True)
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


class Quota:
    """Processes that may write nothing to files, where nobody may mount; see `SmallDisk`."""

    def __init__(self, folder):
        self.folder = folder

    def fill(self, pids):
        """Let processes write nothing."""
        for pid in pids:
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))

    def empty(self, pids):
        """Let them write again."""
        for pid in pids:
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))

    def __enter__(self):
        self.folder.mkdir()
        return self

    def __exit__(self, *_):
        pass


def may_mount(folder):
    """Find out whether file systems can be mounted here."""
    try:
        with SmallDisk(folder):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False
