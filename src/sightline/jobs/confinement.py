"""Gives up, for the rest of a process's life, what the reading of a stranger's file does not need.

Resource limits bound memory, processor time and files; a filter of system calls (seccomp) takes
away the network and other processes. The filter is for Linux on x86-64 and ARM64; elsewhere the
limits are all there is.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.jobs.limits import MediaLimits

__all__ = ["bound_memory", "confine"]

_OPEN_FILES = 64
_LARGEST_WRITE = 64 * 2**20
_GRACE_S = 10

_SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _MODE_FILTER = 38, 22, 2  # prctl(2)
_CLONE_THREAD = 0x10000
_OTHER_NUMBERING = 0x40000000  # x86-64: system calls of the x32 ABI

_LOAD, _IF_EQUAL, _IF_NOT_BELOW, _IF_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _FAIL, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
"""Offsets in `struct seccomp_data`; the lower half of the argument."""

_MACHINES: dict[str, tuple[int, int, tuple[int, ...]]] = {
    # audit number, clone, and: socket, connect, execve, execveat, ptrace, kill, process_vm_readv,
    # process_vm_writev, io_uring_setup (which could do all of these), pidfd_getfd, fork, vfork
    "x86_64": (0xC000003E, 56, (41, 42, 59, 322, 101, 62, 310, 311, 425, 438, 57, 58)),
    "aarch64": (0xC00000B7, 220, (198, 203, 221, 281, 117, 129, 270, 271, 425, 438)),
}
_CLONE3 = 435


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def bound_memory(most: int) -> None:
    """Refuse this process more than so many bytes that it can write to, shared ones not counted.

    Of the address space, files and libraries that are only read, and what drivers of graphics
    cards set aside (which is more than any machine has), do not count.
    """
    _lower(resource.RLIMIT_DATA, most)


def confine(limits: MediaLimits) -> None:
    """Keep this process within limits; the kernel ends it beyond those of time.

    The number of processes cannot be limited as a resource: decoders need threads, which count
    alike, and for all processes of the user together.

    Raises:
        OSError: The kernel refuses.
    """
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_FSIZE, _LARGEST_WRITE),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        _lower(kind, most)
    # Should whoever waits for this process be killed, it ends by itself.
    signal.setitimer(signal.ITIMER_REAL, limits.wall_s + _GRACE_S)
    _control(_SET_NO_NEW_PRIVILEGES, 1, None)
    if platform.machine() in _MACHINES:
        code = _filter(*_MACHINES[platform.machine()])
        program = _Program(length=len(code) // 8, instructions=code)
        _control(_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program))
    _lower(resource.RLIMIT_AS, limits.memory_bytes)  # last: all of the above takes some


def _lower(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    value = most if hard == resource.RLIM_INFINITY else min(most, hard)
    # beyond the soft limit of processor time comes a signal that tells what has happened
    resource.setrlimit(kind, (value, hard if kind == resource.RLIMIT_CPU else value))


def _control(option: int, value: int, pointer: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, pointer, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, f"prctl {option}: {os.strerror(number)}")


def _filter(architecture: int, clone: int, denied: tuple[int, ...]) -> bytes:
    """Assemble the filter: denied calls fail with `EPERM`, threads are allowed, the rest is, too.

    `clone3` has its flags in memory, which a filter cannot see; it "does not exist", and the C
    library falls back to `clone`.
    """
    refuse = (_RETURN, 0, 0, _FAIL | errno.EPERM)
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_IF_NOT_BELOW, 0, 1, _OTHER_NUMBERING),
        refuse,
    ]
    for number in denied:
        code += [(_IF_EQUAL, 0, 1, number), refuse]
    code += [
        (_IF_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _FAIL | errno.ENOSYS),
        (_IF_EQUAL, 0, 3, clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_IF_SET, 1, 0, _CLONE_THREAD),
        refuse,
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
