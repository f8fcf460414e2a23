"""The hands that write at a site, by their roles."""

from __future__ import annotations

from typing import Final

COORDINATOR: Final = "coordinator"
NURSE: Final = "infusion_staff"
RATER: Final = "blinded_rater"
PHYSICIAN: Final = "sub_investigator"
INVESTIGATOR: Final = "investigator"
