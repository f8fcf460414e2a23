"""The baseline: the eventsourcing library as it comes, unsigned, on its own SQLite recorder and a file.

The event carries the same facts as the statement that it is compared with: id, who, when, protocol, meaning
and the clinical values, but no tag, hash, key or checkpoint. Nothing is signed, judged or hashed, and no
receipt is made. Write-ahead log and full sync are the library's own defaults; `settings` reads them back, so
that the report shows that like is compared with like.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.sqlite import SQLiteApplicationRecorder


class Patient(Aggregate):
    """A participant in the library's own style: one method per thing that happens."""

    def __init__(self, site: str) -> None:
        self.site = site
        self.recorded = 0
        self.latest: dict[str, Any] = {}

    @event("VitalSignsRecorded")
    def record_vital_signs(
        self,
        statement: str,
        protocol: str,
        occurred_at: str,
        signed_at: str,
        actor: dict[str, str],
        meaning: str,
        data: dict[str, Any],
    ) -> None:
        """Take in one set of vital signs."""
        self.recorded += 1
        self.latest = data


class Library:
    """An application of the library over a SQLite file, or what its environment names; with participants."""

    def __init__(self, path: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        sqlite = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(path)}
        self.app: Application[UUID] = Application(env=dict(sqlite if env is None else env))

    def new_participant(self, site: str) -> Patient:
        """Make and save a participant."""
        patient = Patient(site)
        self.app.save(patient)
        return patient

    def settings(self) -> dict[str, Any]:
        """Return journal mode and synchronous of the connection that writes."""
        recorder = self.app.recorder
        assert isinstance(recorder, SQLiteApplicationRecorder)
        found = {}
        with recorder.datastore.transaction(commit=False) as cursor:
            for name in ("journal_mode", "synchronous"):
                cursor.execute(f"PRAGMA {name}")
                found[name] = cursor.fetchone()[0]
        return found

    def close(self) -> None:
        """Release the file."""
        self.app.close()
