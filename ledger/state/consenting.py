"""State: what concerns consent beside the consents themselves: defects, re-consent, pregnancy, transfer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Consenting:
    """Consent beside the consents themselves: defects, re-consent, pregnancy, transfer."""
