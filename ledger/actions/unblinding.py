"""Unblinding, envelopes, drills, errors of randomization (catalogue D)."""

from __future__ import annotations
