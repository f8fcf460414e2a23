"""Queries (catalogue H)."""

from __future__ import annotations
