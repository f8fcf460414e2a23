"""Freezing and locking (catalogue H)."""

from __future__ import annotations
