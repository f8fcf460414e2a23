"""Inspections (catalogue A)."""

from __future__ import annotations
