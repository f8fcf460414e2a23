"""The bedside around an infusion: checks, held and reduced doses, errors, observation (catalogue E)."""

from __future__ import annotations
