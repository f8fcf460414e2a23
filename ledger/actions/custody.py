"""Imports, archives, retention, custody, copies (catalogue H)."""

from __future__ import annotations
