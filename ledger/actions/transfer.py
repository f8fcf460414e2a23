"""Transfers between sites and links between ids (catalogue C)."""

from __future__ import annotations
