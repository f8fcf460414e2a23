"""State: queries, verification, signatures, deviations and locks of one stream."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Assurance:
    """State of queries, verification, signatures, deviations and locks of one stream."""
