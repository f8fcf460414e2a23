"""Any other form, field by field (catalogue F)."""

from __future__ import annotations
