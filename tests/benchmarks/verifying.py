"""Verifying: a whole bundle judged offline, against nothing but its signatures checked in a bare loop.

    python -m tests.benchmarks.verifying BUNDLE POLICY [--rounds N]

The bundle is any study's: the demonstration's, one made by bulk import, or the pilot's. The subject reads it,
hashes every leaf to the root, parses every statement, follows every stream, checks every signature, and
judges authority, completeness and conduct, by one process and with two beside. "Without conduct" is the same
program with the catalogue's rules left out, and nothing else. Baselines: messages, signatures and keys ready
in memory and PyNaCl called for each, in one process and in two: no program that checks these signatures one
by one can be faster; and a plain verifier of `json`, `rfc8785` and `cryptography` (`plain_verifier`), which
makes the same checks of integrity and completeness, as one would write them first. CPU time is that of all
processes together.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from nacl.signing import VerifyKey

from api.routes.catalogue import document
from ledger.authority import INITIAL, Authority
from ledger.authority import evolve as evolve_authority
from ledger.committer import Ledger
from ledger.conduct import Conduct
from ledger.entry import Entry, Index
from ledger.envelope import EventHash, pae
from ledger.fold import load_entry
from ledger.keys import ED25519
from ledger.lines import parse_base64
from ledger.policy import parse_policy
from ledger.statement import load_statement
from ledger.store.port import Store
from ledger.verify import walk
from ledger.verify.bundle import open_bundle
from ledger.verify.conduct import ConductJudge
from ledger.verify.form import parse_entry, read_payloads
from ledger.verify.integrity import Judged
from ledger.verify.judge import verify
from ledger.verify.main import settle
from ledger.verify.options import Options, Scope
from ledger.verify.tree import TILE_WIDTH, chunks, read_leaves
from tests.benchmarks import plain_verifier
from tests.benchmarks.blocks import Contender, Series, Work, run
from tests.benchmarks.report import compare, heading, table

SUBJECT: Final = "verify: the whole bundle, one process"
SUBJECT_TWO: Final = "verify: the whole bundle, two processes beside"
JUDGED: Final = "verify without conduct, one process"
JUDGED_TWO: Final = "verify without conduct, two processes beside"
SIGNATURES: Final = "PyNaCl verify, bare loop"
SIGNATURES_TWO: Final = "PyNaCl verify, bare loop in two processes"
PLAIN: Final = "plain verifier: json, rfc8785, cryptography"
RULES: Final = "conduct alone, over parsed entries"

_RULES: Final = "ConductJudge"
MOST_SIGNED: Final = 50_000
"""So many signatures are held ready for the bare loop, of whatever bundle."""

Signed = tuple[VerifyKey, bytes, bytes]


def cpu_s() -> float:
    """Return the CPU time of this process and of those that it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


class Verifying:
    """The contenders over one bundle."""

    def __init__(self, bundle: Path, policy: Path) -> None:
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
        self.events = int((bundle / "checkpoint").read_text().split("\n")[1])
        self._catalogue = json.loads(document())
        self._signed: list[Signed] = []
        self._signed_events = 0
        """Of how many statements, shown or not, the signatures held ready are."""
        for entries, found in _signed(bundle, self.events):
            self._signed += found
            self._signed_events = entries

    @property
    def signatures(self) -> int:
        """How many signatures are held ready for the bare loop."""
        return len(self._signed)

    def contenders(self) -> list[Contender]:
        """Return everything that is measured in one run."""
        # A bundle withholds some statements and has no signature of theirs to check: rates are of entries.
        signatures = self._signed_events
        return [
            self._contender(SUBJECT, lambda: self._verify(1)),
            self._contender(SUBJECT_TWO, lambda: self._verify(2)),
            self._contender(JUDGED, lambda: self._without_conduct(1)),
            self._contender(JUDGED_TWO, lambda: self._without_conduct(2)),
            self._contender(SIGNATURES, lambda: _loop(self._signed), signatures),
            self._contender(SIGNATURES_TWO, lambda: _loops(self._signed), signatures),
            self._contender(PLAIN, self._plainly),
        ]

    def _contender(self, name: str, work: Work, events: int | None = None) -> Contender:
        return Contender(name=name, events=events or self.events, prepare=lambda: work, cpu_s=cpu_s)

    def _verify(self, workers: int) -> None:
        report = verify(self._bundle, replace(self._options, workers=workers))
        if report.exit_code != 0:
            raise RuntimeError(f"expected a bundle that verifies, got {report.problems[:3]}")

    def _plainly(self) -> None:
        plain_verifier.verify(self._bundle, self._catalogue, self._options.role)

    def _without_conduct(self, workers: int) -> None:
        with _rules_left_out():
            self._verify(workers)


def print_verifying(measured: Verifying, rounds: int) -> None:
    """Measure and print; what is asked of integrity and completeness stands beside the ratios."""
    series = run(measured.contenders(), rounds)
    table(series.values())
    _print_conduct(series)
    compare(series[JUDGED], series[SIGNATURES], target=0.4)
    compare(series[JUDGED_TWO], series[SIGNATURES_TWO], target=0.4)
    compare(series[JUDGED], series[PLAIN], target=3)
    compare(series[JUDGED_TWO], series[PLAIN], target=3)
    compare(series[SUBJECT_TWO], series[SUBJECT])
    compare(series[SUBJECT], series[SIGNATURES])


def _print_conduct(series: Mapping[str, Series]) -> None:
    apart = series[SUBJECT].cpu_us - series[JUDGED].cpu_us
    print(f"conduct, as the difference of two rows: {apart:.1f} CPU µs an event\n")


class _NoRules(ConductJudge):
    """Conduct that judges nothing and lets everything be folded, as it is in a bundle without a breach."""

    def judge(self, judged: Judged, authority: Authority) -> bool:
        """Let it pass."""
        return True

    def evolve(self, judged: Judged, authority: Authority) -> None:
        """Fold nothing."""

    def finish(self) -> None:
        """Report nothing."""


@contextmanager
def _rules_left_out() -> Iterator[None]:
    setattr(walk, _RULES, _NoRules)
    try:
        yield
    finally:
        setattr(walk, _RULES, ConductJudge)


def _loop(signed: Sequence[Signed]) -> None:
    for key, message, signature in signed:
        key.verify(message, signature)


def _loops(signed: Sequence[Signed]) -> None:
    """Check half of them in a child, and the other half here."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _loop(signed[::2])
            code = 0
        finally:
            os._exit(code)
    _loop(signed[1::2])
    if os.waitpid(child, 0)[1] != 0:
        raise RuntimeError("expected signatures that hold")


def _signed(bundle: Path, size: int) -> Iterator[tuple[int, list[Signed]]]:
    """Yield the Ed25519 signatures of a bundle's first entries, an entry bundle at a time.

    Each has its key and the bytes that it is over; with them the number of entries up to there.
    """
    opened = open_bundle(bundle)
    keys: dict[str, VerifyKey] = {}
    count = 0
    for number, width in chunks(size):
        found: list[Signed] = []
        payloads = read_payloads(opened, number, width, _refuse)
        for at, (leaf, payload) in enumerate(zip(read_leaves(opened, number, width), payloads, strict=True)):
            parsed = parse_entry(number * TILE_WIDTH + at, leaf, payload)
            if parsed.statement is None:
                continue
            keys.update(_brought(load_statement(parsed.statement.body, parsed.statement.event).data))
            for sig in parsed.leaf.sigs:
                if sig.alg == ED25519:
                    found.append((keys[sig.key], pae(parsed.statement.body), sig.sig))
        yield number * TILE_WIDTH + width, found
        count += len(found)
        if count >= MOST_SIGNED:
            return


def _brought(data: Mapping[str, Any]) -> dict[str, VerifyKey]:
    """Return the keys that a statement's data bring in."""
    given = [data.get("key"), *(root["key"] for root in data.get("root_keys", ()))]
    return {
        key["id"]: VerifyKey(parse_base64(key["spki"], what="key", code="KEY")[-32:])
        for key in given
        if isinstance(key, dict) and key.get("alg") == ED25519
    }


def _refuse(found: object) -> None:
    raise RuntimeError(f"expected a bundle that can be read, got {found}")


class Rules:
    """The catalogue's rules alone, over parsed entries at hand."""

    def __init__(self, ledger: Ledger) -> None:
        store = ledger.store
        self._entries = [load_entry(stored) for stored in store.entries(0, store.head().size)]
        self._reader = _MemoryReader(self._entries, store)

    def contender(self) -> Contender:
        """Return the row."""
        return Contender(name=RULES, events=len(self._entries), prepare=self._rules)

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


def main() -> None:
    """Measure one bundle by its path."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.verifying", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("policy", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.rounds < 2:
        parser.error("--rounds: expected at least 2, which have a spread")
    settle()  # as the command does
    measured = Verifying(arguments.bundle, arguments.policy)
    heading(f"Verify: a bundle of {measured.events:,} statements")
    print_verifying(measured, arguments.rounds)


if __name__ == "__main__":
    main()
