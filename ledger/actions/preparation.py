"""Preparing and dispensing doses: `pharmacy/<site>` (catalogue E)."""

from __future__ import annotations
