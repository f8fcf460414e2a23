"""The extension after the core study (catalogue I)."""

from __future__ import annotations
