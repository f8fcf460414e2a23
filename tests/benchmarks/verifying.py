"""Verifying: a whole bundle judged offline, against nothing but its signatures checked in a bare loop.

The subject reads an exported bundle from disk, hashes every leaf to the root, parses every statement, follows
every stream, checks every signature, and judges authority, conduct and completeness, in one thread. The
baseline has messages, signatures and keys ready in memory and calls PyNaCl for each: no program that checks
these signatures one by one can be faster. The rules alone, over parsed entries, are a row of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from nacl.signing import VerifyKey

from ledger.authority import INITIAL
from ledger.authority import evolve as evolve_authority
from ledger.conduct import Conduct
from ledger.entry import Entry
from ledger.envelope import pae
from ledger.export import export_bundle
from ledger.fold import LogFold, StoreReader, load_entry
from ledger.verify.judge import verify
from ledger.verify.options import Options, Scope
from tests.benchmarks.blocks import Contender, Work
from tests.benchmarks.trial import participant_id, signed_vital_signs
from tests.ledger.small_ledger import SmallLedger

SUBJECT: Final = "verify: the whole bundle, one worker"
SIGNATURES: Final = "PyNaCl verify, bare loop"
RULES: Final = "conduct alone, over parsed entries"
STUDY: Final = Scope(kind="study")
PER_COMMIT: Final = 100


def grow(trial: SmallLedger, size: int, participants: int) -> None:
    """Record vital signs, a participant's page at a time, until the log has `size` entries."""
    turn = 0
    while (missing := size - trial.ledger.store.head().size) > 0:
        name = participant_id(1 + turn % participants)
        trial.ledger.record_all(signed_vital_signs(trial, name, min(PER_COMMIT, missing)))
        turn += 1


def export(trial: SmallLedger, out: Path) -> Path:
    """Publish, and export the whole study for an auditor."""
    ledger = trial.ledger
    note = trial.publish()
    export_bundle(ledger.store, ledger.data_keys, note, out, scope=STUDY, role="auditor")
    return out


class Verifying:
    """The contenders over one bundle."""

    def __init__(self, directory: Path, trial: SmallLedger) -> None:
        self._bundle = export(trial, directory / f"bundle-{trial.ledger.store.head().size}")
        self._options = Options(
            policy=trial.policy,
            ledger_id=None,
            scope=STUDY,
            role="auditor",
            previous=None,
            outbox=None,
            strict_conduct=False,
            classical=False,
            post_quantum=False,
            workers=1,
        )
        store = trial.ledger.store
        self._reader = StoreReader(store)
        self._entries = [load_entry(stored) for stored in store.entries(0, store.head().size)]
        self._signed = _signed(self._entries, trial)

    @property
    def events(self) -> int:
        """How many statements are verified."""
        return len(self._entries)

    def contenders(self) -> list[Contender]:
        """Return everything that is measured in one run."""
        return [
            Contender(name=SUBJECT, events=self.events, prepare=lambda: self._verify),
            Contender(name=SIGNATURES, events=self.events, prepare=lambda: self._loop),
            Contender(name=RULES, events=self.events, prepare=self._rules),
        ]

    def _verify(self) -> None:
        report = verify(self._bundle, self._options)
        if report.exit_code != 0:
            raise RuntimeError(f"expected a bundle that verifies, got {report.findings}")

    def _loop(self) -> None:
        for key, message, signature in self._signed:
            key.verify(message, signature)

    def _rules(self) -> Work:
        conduct, entries = Conduct(self._reader), self._entries

        def work() -> None:
            authority = INITIAL
            for entry in entries:
                conduct.judge(entry, authority)
                conduct.evolve(entry, authority)
                authority = evolve_authority(authority, entry)

        return work


def _signed(entries: Sequence[Entry], trial: SmallLedger) -> list[tuple[VerifyKey, bytes, bytes]]:
    fold: LogFold = trial.ledger.refresh()
    signed = []
    for entry in entries:
        assert entry.statement is not None
        message = pae(entry.statement.body)
        for sig in entry.leaf.sigs:
            signed.append((VerifyKey(fold.authority.keys[sig.key].public.point), message, sig.sig))
    return signed
