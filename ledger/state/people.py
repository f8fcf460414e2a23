"""State: devices, inspections, access, downtime and the versions in use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """State of devices, inspections, access, downtime and the versions in use."""
