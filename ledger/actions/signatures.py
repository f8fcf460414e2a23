"""Signatures over a scope (catalogue H)."""

from __future__ import annotations
