"""Fixtures that every package's tests share."""

from hypothesis import settings

# A deadline per example would fail a law on a busy machine, which says nothing about the law.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
