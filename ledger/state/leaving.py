"""State: how treatment ended, contact, and the extension."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """State of how treatment ended, contact, and the extension."""
