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
COUNTED: Final = (_PROC / "self" / "stat").is_file()
_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")


def tree_cpu_s(pid: int | None = None) -> float:
    """Return the CPU time of a process and all that it started, this one's by default.

    Exact for this process; of others in the system's ticks, a hundredth of a second as a rule.
    """
    own = os.getpid() if pid is None else pid
    if not COUNTED:
        return time.process_time()
    parents = dict(_parents())
    tree = {own}
    while more := {child for child, parent in parents.items() if parent in tree} - tree:
        tree |= more
    if pid is None:
        return time.process_time() + sum(map(_cpu_s, tree - {own}))
    return sum(map(_cpu_s, tree))


def _parents() -> Iterator[tuple[int, int]]:
    for path in _PROC.iterdir():
        if path.name.isdigit():
            fields = _stat(int(path.name))
            if fields:
                yield int(path.name), int(fields[1])


def _cpu_s(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) * _TICK_S if fields else 0.0


def _stat(pid: int) -> list[str]:
    """Return the fields after the command's name, which may hold anything; none of a process that is gone."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
