"""What an examination answers, and how it says lengths of time and amounts of bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ledger.errors import LedgerError

Verdict = Literal["good", "watch", "bad", "unknown"]

DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One answer: what was looked at, how it is, in words, and in figures for programs."""

    area: str
    verdict: Verdict
    text: str
    values: Mapping[str, Any] = field(default_factory=dict)


def failed(area: str, error: LedgerError) -> Finding:
    """Return the finding of what could not be looked at."""
    return Finding(area=area, verdict="bad", text=str(error), values={"code": error.code})


def ago(seconds: float) -> str:
    """Say how long ago something was, in one unit."""
    for unit, length in (("d", DAY_S), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{max(0, seconds):.0f} s ago"


def amount(size: float) -> str:
    """Say how many bytes, in one unit."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1_024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1_024
    return f"{size:.1f} TiB"
