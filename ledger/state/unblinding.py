"""State: who was unblinded, when and why; envelopes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Unblinding:
    """State of who was unblinded, when and why; envelopes."""
