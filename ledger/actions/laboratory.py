"""Samples, results, electrocardiograms (catalogue F)."""

from __future__ import annotations
