"""State: observations: diaries, samples, suicidality, forms."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Observing:
    """State of observations: diaries, samples, suicidality, forms."""
