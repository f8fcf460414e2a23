"""State: the stock of one pharmacy and what is prepared and dispensed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pharmacy:
    """State of the stock of one pharmacy and what is prepared and dispensed."""
