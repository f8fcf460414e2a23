"""Pregnancy tests and childbearing potential (catalogue C)."""

from __future__ import annotations
