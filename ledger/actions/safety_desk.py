"""The unblinded and central steps of safety (catalogue G)."""

from __future__ import annotations
