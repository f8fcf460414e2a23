"""Durable append: a signed statement through the whole write path, against what has less to do.

The subject is `Ledger.record` of a submission that is ready and signed: one call, one commit, with signature
check (in the process beside that a service has), authority, sequence, rules, leaf, tree, signed head and
receipt, fully synced. The baselines are the
bare library's save of an unsigned event with the same facts, and one bare SQLite insert of the statement's
bytes per transaction under the same settings. What the client does is measured apart, and so is what the
service reaches when clients wait side by side: it commits together what arrives together.
"""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any, Final

from ledger.prepare import prepare
from ledger.store.sqlite_files import connect
from tests.benchmarks.blocks import Contender, Work
from tests.benchmarks.library import Library
from tests.benchmarks.processes import tree_cpu_s
from tests.benchmarks.trial import (
    NURSE,
    participant_id,
    record,
    same_facts,
    served,
    sign,
    signed_vital_signs,
    vital_signs,
    vital_signs_action,
)
from tests.ledger.small_ledger import SITE, SmallLedger

PER_BLOCK: Final = 50
SUBJECT: Final = "Ledger.record: signed, judged, committed, with receipt"
LIBRARY: Final = "eventsourcing save, unsigned"
RAW: Final = "SQLite, one insert per commit"
GROUP: Final = "service with 50 clients waiting: the same, by group commit"
CLIENT: Final = "client: sign a prepared statement"
PREPARE: Final = "client: prepare one statement (ledger's side)"


class Append:
    """The contenders over files in one directory."""

    def __init__(self, directory: Path, trial: SmallLedger, library: Library) -> None:
        self._trial = trial
        self._library = library
        self._patient = self._library.new_participant(SITE)
        self._raw = _raw_database(directory / "raw.db")
        self._participants = 0
        self._runner = asyncio.Runner()
        self._recorder = served(trial)

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """Journal mode and synchronous of each contender's writing connection."""
        writer = self._trial.ledger.store._writer  # type: ignore[attr-defined]
        return {SUBJECT: _settings(writer), LIBRARY: self._library.settings(), RAW: _settings(self._raw)}

    def contenders(self) -> list[Contender]:
        """Return everything that is measured in one run."""
        return [
            Contender(name=SUBJECT, events=PER_BLOCK, prepare=self._ledger, cpu_s=tree_cpu_s),
            Contender(name=LIBRARY, events=PER_BLOCK, prepare=self._save),
            Contender(name=RAW, events=PER_BLOCK, prepare=self._insert),
            Contender(name=GROUP, events=PER_BLOCK, prepare=self._group, cpu_s=tree_cpu_s),
            Contender(name=CLIENT, events=PER_BLOCK, prepare=self._sign),
            Contender(name=PREPARE, events=PER_BLOCK, prepare=self._prepare),
        ]

    def close(self) -> None:
        """Release the raw baseline's file, and end what the service's row started."""
        self._raw.close()
        self._recorder.close()
        self._runner.close()

    def _next(self) -> str:
        """Return the participants in turn, so that no stream grows beyond what a trial has."""
        self._participants += 1
        known = sum(1 for _ in self._trial.ledger.fold.conduct.participants())
        return participant_id(1 + self._participants % known)

    def _ledger(self) -> Work:
        submissions = signed_vital_signs(self._trial, self._next(), PER_BLOCK)
        return lambda: record(self._trial, submissions)

    def _group(self) -> Work:
        submissions = signed_vital_signs(self._trial, self._next(), PER_BLOCK)

        async def clients() -> None:
            await asyncio.gather(*map(self._recorder.record, submissions))

        return lambda: self._runner.run(clients())

    def _sign(self) -> Work:
        statements = vital_signs(self._trial, self._next(), PER_BLOCK)
        signer = self._trial.people[NURSE]
        return lambda: [sign(signer, statement) for statement in statements]

    def _prepare(self) -> Work:
        signer = self._trial.people[NURSE]
        ledger = self._trial.ledger
        action = signer.complete(ledger, vital_signs_action(self._next(), 0))
        return lambda: [prepare(ledger, action, {}) for _ in range(PER_BLOCK)]

    def _save(self) -> Work:
        facts = [same_facts(number) for number in range(PER_BLOCK)]
        patient, app = self._patient, self._library.app

        def work() -> None:
            for each in facts:
                patient.record_vital_signs(**each)
                app.save(patient)

        return work

    def _insert(self) -> Work:
        bodies = [s.body for s in vital_signs(self._trial, participant_id(1), PER_BLOCK)]
        raw = self._raw

        def work() -> None:
            for body in bodies:
                raw.execute("BEGIN IMMEDIATE")
                raw.execute("INSERT INTO events (statement) VALUES (?)", (body,))
                raw.execute("COMMIT")

        return work


def _raw_database(path: Path) -> sqlite3.Connection:
    path.touch()
    connection = connect(path, 5.0)  # the ledger's own settings, synchronous=FULL among them
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE events (idx INTEGER PRIMARY KEY, statement BLOB NOT NULL) STRICT")
    return connection


def _settings(connection: sqlite3.Connection) -> dict[str, Any]:
    return {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
    }
