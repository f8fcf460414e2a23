"""State: safety of one participant beside the adverse events themselves: reports, cases, clocks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Safety:
    """State of safety of one participant beside the adverse events themselves: reports, cases, clocks."""
