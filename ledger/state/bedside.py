"""State: the bedside beside the infusions themselves: checks, discontinued dosing, observation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bedside:
    """State of the bedside beside the infusions themselves: checks, discontinued dosing, observation."""
