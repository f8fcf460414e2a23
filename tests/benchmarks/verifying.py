"""Verifying: a whole bundle judged offline, against nothing but its signatures checked in a bare loop.

The log is the demonstration's. The subject reads its exported bundle, hashes every leaf to the root,
parses every statement, follows every stream, checks every signature, and judges authority, conduct and
completeness, in one thread. The baseline has messages, signatures and keys ready in memory and calls PyNaCl
for each: no program that checks these signatures one by one can be faster. The rules alone, over parsed
entries, are a row of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from nacl.signing import VerifyKey

from ledger.authority import INITIAL
from ledger.authority import evolve as evolve_authority
from ledger.committer import Ledger
from ledger.conduct import Conduct
from ledger.entry import Entry, Index
from ledger.envelope import EventHash, pae
from ledger.fold import load_entry
from ledger.policy import parse_policy
from ledger.store.port import Store
from ledger.verify.judge import verify
from ledger.verify.options import Options, Scope
from tests.benchmarks.blocks import Contender, Work

SUBJECT: Final = "verify: the whole bundle, one worker"
SIGNATURES: Final = "PyNaCl verify, bare loop"
RULES: Final = "conduct alone, over parsed entries"


class Verifying:
    """The contenders over one bundle."""

    def __init__(self, ledger: Ledger, bundle: Path, policy: Path) -> None:
        self._bundle = bundle
        self._options = Options(
            policy=parse_policy(policy.read_bytes()),
            ledger_id=None,
            scope=Scope(kind="study"),
            role="auditor",
            previous=None,
            outbox=None,
            strict_conduct=False,
            classical=False,
            post_quantum=False,
            workers=1,
        )
        store = ledger.store
        self._entries = [load_entry(stored) for stored in store.entries(0, store.head().size)]
        self._reader = _MemoryReader(self._entries, store)
        self._signed = _signed(self._entries, ledger)

    @property
    def events(self) -> int:
        """How many statements are verified."""
        return len(self._entries)

    @property
    def signatures(self) -> int:
        """How many signatures these statements have."""
        return len(self._signed)

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


class _MemoryReader:
    """What conduct asks, from parsed entries at hand."""

    def __init__(self, entries: Sequence[Entry], store: Store) -> None:
        self._streams: dict[str, list[Entry]] = {}
        for entry in entries:
            assert entry.statement is not None
            self._streams.setdefault(entry.statement.stream, []).append(entry)
        self._entries = {entry.index: entry for entry in entries}
        self._indexes = {entry.event: entry.index for entry in entries}
        self._store = store

    def entries_of(self, stream: str) -> Sequence[Entry]:
        """Return a stream's entries; later ones are not used."""
        return self._streams.get(stream, [])

    def index_of(self, event: str) -> int | None:
        """Return the index of an event."""
        return self._indexes.get(EventHash(event))

    def entry_at(self, index: int) -> Entry | None:
        """Return the entry of an index."""
        return self._entries.get(Index(index))

    def attachment(self, sha256: str) -> bytes | None:
        """Return an attachment's bytes."""
        found = self._store.attachment(sha256)
        return None if found is None else found.data

    def opened(self, _: str) -> Mapping[str, Any] | None:
        """Open nothing: this trial prepares no doses."""
        return None


def _signed(entries: Sequence[Entry], ledger: Ledger) -> list[tuple[VerifyKey, bytes, bytes]]:
    keys = ledger.refresh().authority.keys
    signed = []
    for entry in entries:
        assert entry.statement is not None
        message = pae(entry.statement.body)
        for sig in entry.leaf.sigs:
            signed.append((VerifyKey(keys[sig.key].public.point), message, sig.sig))
    return signed
