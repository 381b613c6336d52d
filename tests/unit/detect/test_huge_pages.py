"""Huge pages: asked for where memory is large, and nothing of it changes."""

import mmap
import sys

from sightline.detect.huge_pages import prefer_huge_pages

MIB = 2**20


def test_large_memory_keeps_its_content_and_is_asked_for():
    with mmap.mmap(-1, 16 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory[:] = bytes(range(256)) * (16 * MIB // 256)
        asked = prefer_huge_pages()
        assert memory[:] == bytes(range(256)) * (16 * MIB // 256)
    if sys.platform == "linux":
        assert asked >= 14 * MIB


def test_asking_twice_is_harmless():
    assert prefer_huge_pages() >= 0
    assert prefer_huge_pages() >= 0
