"""One line on a terminal that says how far the judging is, written over itself and wiped at the end.

Plain text and a carriage return: no colour to switch off, nothing that a terminal could lack.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

EVERY_S: Final = 0.1


@contextmanager
def progress_line(out: TextIO) -> Iterator[Callable[[int, int], None]]:
    """Yield what writes the line: how many entries of how many are judged."""
    shown, written_s = "", 0.0

    def show(done: int, size: int) -> None:
        nonlocal shown, written_s
        now = time.monotonic()
        if now - written_s < EVERY_S and done < size:
            return
        line = f"judged {done:,} of {size:,} entries"
        out.write("\r" + line.ljust(len(shown)))
        out.flush()
        shown, written_s = line, now

    try:
        yield show
    finally:
        if shown:
            out.write("\r" + " " * len(shown) + "\r")
            out.flush()
