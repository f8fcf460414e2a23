"""Product and its accountability: `pharmacy/<site>` (catalogue E)."""

from __future__ import annotations
