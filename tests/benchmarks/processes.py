"""CPU time of processes beside this one: of a server, and of what checks signatures for a ledger.

Where the system has no /proc only this process is counted, and the report says so.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
COUNTED: Final = (_PROC / "self" / "task" / str(os.getpid()) / "children").is_file()
_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")


def tree_cpu_s(pid: int | None = None) -> float:
    """Return the CPU time of a process and all that it started, this one's by default.

    Exact for this process and, where the system tells, for others; else these in its ticks of 10 ms.
    """
    if not COUNTED:
        return time.process_time()
    own = os.getpid() if pid is None else pid
    below = sum(map(_cpu_s, _below(own)))
    return below + (time.process_time() if pid is None else _cpu_s(own))


def _below(pid: int) -> Iterator[int]:
    """Yield the processes that a process started, and those that they did."""
    for path in (_PROC / str(pid) / "task").glob("*/children"):
        try:
            children = path.read_text().split()
        except OSError:
            continue  # a thread that is gone
        for child in map(int, children):
            yield child
            yield from _below(child)


def _cpu_s(pid: int) -> float:
    try:
        tasks = [path.read_text().split() for path in (_PROC / str(pid) / "task").glob("*/schedstat")]
        if tasks:
            return sum(int(task[0]) for task in tasks) / 1e9
        # The fields after the command's name, which may hold anything.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) * _TICK_S
