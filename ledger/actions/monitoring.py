"""Source verification, monitoring visits, deviations, actions on them (catalogue H)."""

from __future__ import annotations
