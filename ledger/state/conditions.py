"""State: what the study as a whole permits: amendments, enrolment, halt, close, database locks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """State of what the study as a whole permits: amendments, enrolment, halt, close, database locks."""
