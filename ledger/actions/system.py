"""The running of the system: clock, backups, releases, configuration, downtime (catalogue A)."""

from __future__ import annotations
