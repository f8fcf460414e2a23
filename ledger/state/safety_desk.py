"""State: the unblinded steps of safety."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyDesk:
    """State of the unblinded steps of safety."""
