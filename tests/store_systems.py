"""File systems of fsspec that fail when they are told to, and what tests keep files in."""

import threading
import uuid
from typing import ClassVar

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

__all__ = ["FailingSystem", "memory_url"]


class FailingSystem(MemoryFileSystem):
    """Keeps files in memory, and fails as `fail` says.

    Attributes:
        failing: The next error of a method, and how often it comes.
        asked: The methods that were called, with their paths.
    """

    protocol = "failing"
    failing: ClassVar = {}
    asked: ClassVar = []
    _guard = threading.Lock()

    @classmethod
    def reset(cls):
        cls.failing.clear()
        cls.asked.clear()

    @classmethod
    def fail(cls, method, error, times=10**9):
        """Let a method fail so often, from now on."""
        cls.failing[method] = (error, times)

    @classmethod
    def _meet(cls, method, path):
        with cls._guard:
            cls.asked.append((method, path))
            error, times = cls.failing.get(method, (None, 0))
            if times <= 0:
                return
            cls.failing[method] = (error, times - 1)
        raise error

    def put_file(self, lpath, rpath, **options):
        self._meet("put_file", rpath)
        super().put_file(lpath, rpath, **options)

    def get_file(self, rpath, lpath, **options):
        self._meet("get_file", rpath)
        super().get_file(rpath, lpath, **options)

    def info(self, path, **options):
        self._meet("info", path)
        return super().info(path, **options)

    def find(self, path, *arguments, **options):
        self._meet("find", path)
        return super().find(path, *arguments, **options)

    def rm(self, path, *arguments, **options):
        self._meet("rm", path)
        super().rm(path, *arguments, **options)

    def pipe_file(self, path, value, **options):
        self._meet("pipe_file", path)
        super().pipe_file(path, value, **options)


fsspec.register_implementation("failing", FailingSystem, clobber=True)


def memory_url(protocol="memory"):
    """Give the URL of an empty store."""
    return f"{protocol}://{uuid.uuid4().hex}"
