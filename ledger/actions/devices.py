"""Devices and participants' own access (catalogue A)."""

from __future__ import annotations
