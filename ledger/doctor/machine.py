"""What the machine under a ledger says of itself: its clock, its room, and who may read which file.

Asked of the operating system alone; nothing goes over the network.
"""

from __future__ import annotations

import ctypes
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_UNSYNCHRONISED: Final = 0x0040  # STA_UNSYNC of <sys/timex.h>
_PRIVATE: Final = 0o077
_TIMEX_BYTES: Final = 512


class _Timex(ctypes.Structure):
    """The beginning of `struct timex`; what follows is room."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("room", ctypes.c_char * _TIMEX_BYTES),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What the kernel knows of its clock: whether it is kept in step, and by how much it may be off."""

    synchronised: bool
    max_error_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Bytes of the file system that a directory lies on."""

    free: int
    total: int


def clock() -> Clock | None:
    """Ask the kernel about its clock (adjtimex(2), nothing is set); None where it can't be asked."""
    if sys.platform != "linux":
        return None
    state = _Timex()
    try:
        answer = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(state))
    except (OSError, AttributeError):
        return None
    if answer < 0:
        return None
    return Clock(
        synchronised=not state.status & _UNSYNCHRONISED, max_error_ms=max(0, state.maxerror) // 1_000
    )


def room(directory: Path) -> Room:
    """Return what is free where a directory lies."""
    usage = shutil.disk_usage(directory)
    return Room(free=usage.free, total=usage.total)


def size_of(path: Path) -> int:
    """Return the bytes of a file, with what SQLite keeps beside it; 0 where there is none."""
    beside = (path, path.with_name(path.name + "-wal"))
    return sum(each.stat().st_size for each in beside if each.is_file())


def open_to_others(directory: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files of a directory that others than their owner may read or write, by name in order."""
    for pattern in patterns:
        for path in sorted(directory.glob(pattern)):
            if path.is_file() and stat.S_IMODE(path.stat().st_mode) & _PRIVATE:
                yield path
