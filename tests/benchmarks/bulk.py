"""Bulk import: many statements, signed, ruled and committed by the same write path, a thousand a commit.

    python -m tests.benchmarks --only bulk --entries 1000000

Statements are made and signed in a child process, as a source system's export would be, and come over a pipe;
what is timed is what the ledger does with them: parsing, signatures (checked in the process beside),
authority, rules, leaf, tree, receipts, and the durable commit. A participant has two hundred of them, as in a
long trial, and then the next one takes over. The library saves as many unsigned events with the
same facts, an aggregate of two hundred a save. Where the time goes is told by stage, from some of the pages.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from ledger import batch, committer, conduct, fold, transaction
from ledger.checker import Checker, Checks
from ledger.errors import LedgerError
from ledger.keys import Ed25519SigningKey
from ledger.lines import encode_base64
from ledger.service import sign_body
from ledger.statement import make_statement
from ledger.store.sqlite import SqliteStore, SqliteTransaction
from ledger.submission import Submission, format_submission, parse_submission
from tests.benchmarks.blocks import Sample
from tests.benchmarks.library import Library
from tests.benchmarks.trial import NURSE, measured, open_trial, participant_id, same_facts, vital_signs_action
from tests.ledger.small_ledger import SITE, SmallLedger, seed

PAGE: Final = 1_000
PATIENCE_S: Final = 60.0
PER_PARTICIPANT: Final = 200
PROFILED: Final = 10
"""One page in so many is timed by stage; the others are what the rate is taken from."""


@dataclass(slots=True)
class Imported:
    """What an import took: wall and CPU seconds of each page, and what a stage takes of an event."""

    pages_s: list[float] = field(default_factory=list)
    pages_cpu_s: list[float] = field(default_factory=list)
    stages: dict[str, Sample] = field(default_factory=dict)

    def rate(self, first: float, last: float) -> float:
        """Return events a second between two parts of the pages, 0 to 1."""
        pages = _part(self.pages_s, first, last)
        return PAGE * len(pages) / sum(pages)

    def commit_ms(self, first: float, last: float, percent: int) -> float:
        """Return a percentile of the milliseconds that a page took, between two parts of the pages."""
        pages = sorted(_part(self.pages_s, first, last))
        return pages[min(len(pages) * percent // 100, len(pages) - 1)] * 1e3

    def cpu_us(self, first: float, last: float) -> float:
        """Return CPU microseconds of this process per event, between two parts of the pages."""
        pages = _part(self.pages_cpu_s, first, last)
        return sum(pages) / len(pages) / PAGE * 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where a participant's stream stands, and what each statement has in common."""

    members: dict[str, Any]
    tag: str
    seq: int
    prev: str


def import_events(directory: Path, events: int, profiled: int = PROFILED) -> Imported:
    """Import so many events into a new ledger; one page in `profiled` is timed by stage."""
    trial = open_trial(directory, -(-events // PER_PARTICIPANT))
    try:
        return import_into(trial, events, profiled)
    finally:
        trial.ledger.close()


def import_into(trial: SmallLedger, events: int, profiled: int = PROFILED) -> Imported:
    """Import so many events into an open ledger, which has a participant for every two hundred of them."""
    pages = events // PAGE
    starts = [_start(trial, number) for number in range(-(-events // PER_PARTICIPANT))]
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    maker = context.Process(target=_make, args=(there, here, starts, pages), daemon=True)
    maker.start()
    there.close()
    try:
        return _import(trial, here, pages, profiled)
    finally:
        here.close()
        maker.join()


def save_events(directory: Path, events: int) -> float:
    """Save so many unsigned events by the library, an aggregate at a time; return events a second."""
    library = Library(directory / "bulk-library.db")
    facts = [same_facts(number) for number in range(PAGE)]
    pages = events // PAGE
    began = time.perf_counter()
    for _ in range(pages):
        for _ in range(PAGE // PER_PARTICIPANT):
            patient = library.new_participant(SITE)
            for each in facts[:PER_PARTICIPANT]:
                patient.record_vital_signs(**each)
            library.app.save(patient)
    took = time.perf_counter() - began
    library.close()
    return pages * PAGE / took


def _import(trial: SmallLedger, pipe: Connection, pages: int, profiled: int) -> Imported:
    imported, checker, ledger = Imported(), Checker(), trial.ledger
    checker.start(PATIENCE_S)
    ledger.checker = checker
    stages = Stages()
    for number in range(pages):
        bodies = pipe.recv()
        by_stage = number % profiled == profiled - 1
        with stages.timed(PAGE) if by_stage else nullcontext():
            began, cpu = time.perf_counter(), time.process_time()
            submissions = [stages.parse(body) for body in bodies]
            outcomes = ledger.record_all(submissions)
            took, cpu = time.perf_counter() - began, time.process_time() - cpu
        if not by_stage:
            imported.pages_s.append(took)
            imported.pages_cpu_s.append(cpu)
        bad = [each for each in outcomes if isinstance(each, LedgerError) or each.breaches]
        if bad:
            raise RuntimeError(f"expected statements without a breach, got {bad[0]}")
    imported.stages = stages.per_event()
    ledger.checker = None
    checker.close()
    return imported


def _part(pages: Sequence[float], first: float, last: float) -> Sequence[float]:
    start = min(int(len(pages) * first), len(pages) - 1)
    return pages[start : max(start + 1, int(len(pages) * last))]


# Signing, in a process of its own.


def _start(trial: SmallLedger, number: int) -> Start:
    """Say what follows in a participant's stream, so that another process can make it."""
    name = participant_id(1 + number)
    ledger = trial.ledger
    tag = ledger.stream(f"participant/{name}").tag
    head = ledger.fold.chain.head(tag)
    newest = ledger.store.head()
    members = trial.people[NURSE].complete(ledger, vital_signs_action(name, 0))
    seen = {"root": encode_base64(newest.root), "size": newest.size}
    return Start(members={**members, "tag": tag, "seen": seen}, tag=tag, seq=head.seq, prev=head.event)


def _make(pipe: Connection, other: Connection, starts: Sequence[Start], pages: int) -> None:
    """Make and sign all statements, page by page, as bodies of submissions."""
    other.close()  # came with the fork, and would hide that nobody reads any more
    key = Ed25519SigningKey.from_seed(seed(NURSE))
    bodies = _bodies(key, starts)
    try:
        for _ in range(pages):
            pipe.send([next(bodies) for _ in range(PAGE)])
    except (BrokenPipeError, ConnectionResetError):
        return


def _bodies(key: Ed25519SigningKey, starts: Sequence[Start]) -> Iterator[bytes]:
    count = 0
    for start in starts:
        prev = start.prev
        for number in range(PER_PARTICIPANT):
            count += 1
            statement = make_statement(
                {
                    **start.members,
                    "id": f"{start.members['id'][:24]}{count:012x}",
                    "data": measured(number),
                    "seq": start.seq + 1 + number,
                    "prev": prev,
                }
            )
            prev = statement.event
            sigs = sign_body(statement.body, key)
            yield format_submission(Submission(statement=statement, sigs=sigs, disclosures={}))


# Where the time goes.

_STAGES: Final[tuple[tuple[str, Any, str], ...]] = (
    ("form of data (catalogue)", transaction, "parse_action"),
    ("waiting for signatures checked beside", Checks, "check"),
    ("authority", transaction, "judge"),
    ("order and linkage", transaction, "check_chain"),
    ("rules: judging", conduct.Conduct, "judge"),
    ("rules: folding in", conduct.Conduct, "evolve"),
    ("all folds", fold.LogFold, "advance"),
    ("leaf, tree", batch.Batch, "add"),
    ("signed head", batch.Batch, "commit"),
    ("receipts", batch.Batch, "receipt_all"),
    ("handing over signatures", Checker, "begin"),
    ("rows into SQLite", SqliteTransaction, "append"),
    ("durable commit", SqliteStore, "_end"),
    ("the whole transaction", committer.Ledger, "record_all"),
)


class Stages:
    """Wall and CPU seconds by stage, of the pages in which functions are timed."""

    def __init__(self) -> None:
        self._wall_s: dict[str, float] = {}
        self._cpu_s: dict[str, float] = {}
        self._events = 0
        self._timing = False

    def parse(self, body: bytes) -> Submission:
        """Parse a body, timed as the others are."""
        if not self._timing:
            return parse_submission(body)
        return self._time("parsing", parse_submission, body)

    @contextmanager
    def timed(self, events: int) -> Iterator[None]:
        """Time every stage of what is done meanwhile."""
        plain = [(owner, name, getattr(owner, name)) for _, owner, name in _STAGES]
        for label, owner, name in _STAGES:
            setattr(owner, name, self._timer(label, getattr(owner, name)))
        self._timing = True
        try:
            yield
        finally:
            self._timing = False
            self._events += events
            for owner, name, function in plain:
                setattr(owner, name, function)

    def per_event(self) -> dict[str, Sample]:
        """Return what each stage takes of one event."""
        scale = 1e6 / max(1, self._events)
        return {
            label: Sample(wall_us=wall_s * scale, cpu_us=self._cpu_s[label] * scale)
            for label, wall_s in self._wall_s.items()
        }

    def _timer(self, label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given, **named: self._time(label, function, *given, **named)

    def _time(self, label: str, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
        wall, cpu = time.perf_counter(), time.thread_time()
        try:
            return function(*given, **named)
        finally:
            self._wall_s[label] = self._wall_s.get(label, 0.0) + time.perf_counter() - wall
            self._cpu_s[label] = self._cpu_s.get(label, 0.0) + time.thread_time() - cpu
