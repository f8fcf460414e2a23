"""Diaries and suicidality (catalogue F)."""

from __future__ import annotations
