"""The one write path: everything that enters the log enters here.

    parse → [write lock: catch up → a transaction's submissions, one by one] → one durable commit → receipt

Submissions of one call are judged one by one, each after the earlier ones, and become durable together, with
what the service adds to them (`transaction`) and with the refusals that are recorded (`limited`).

After any failure the fold is dropped and made again from the log, so memory never holds what is not durable.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from ledger.admission import witness_policy
from ledger.batch import Batch
from ledger.checker import Checker
from ledger.datakeys import DESTROYED, MISSING, DataKeys
from ledger.errors import FrozenError, LedgerError, RefusedError, StoreError
from ledger.fold import FoldState, LogFold, StoreReader
from ledger.limited import ACCESS, Limited
from ledger.publishing import newest_held, publish_newest
from ledger.recorded import Recorded, receipted
from ledger.salts import Salts
from ledger.savepoint import Savepoint
from ledger.sealing import open_disclosure
from ledger.service import LogSigners, Service
from ledger.sources import Sources
from ledger.statement import Statement
from ledger.store.checkpoints import CheckpointStore
from ledger.store.port import Head, NewDisclosure, NewStream, Reads, Store
from ledger.store.startup import Startup
from ledger.submission import Submission
from ledger.times import format_instant
from ledger.transaction import CheckSignatures, Deferred, Followed, Means, Outcome, Transaction
from ledger.witness.gathering import Gathering

__all__ = ["Ledger", "Outcome"]

T = TypeVar("T")


class Ledger:
    """One open ledger: store, checkpoints, keys, and the fold that judges what comes in.

    Thread-safe; several processes may open the same ledger.
    """

    def __init__(
        self,
        *,
        origin: str,
        store: Store,
        checkpoints: CheckpointStore,
        signers: LogSigners,
        service: Service,
        data_keys: DataKeys,
        sources: Sources,
        startup: Startup,
        lazy: bool = False,
        savepoint: Savepoint | None = None,
    ) -> None:
        self._lazy = lazy
        self.savepoint = savepoint
        self.origin = origin
        self.store = store
        self.checkpoints = checkpoints
        self.signers = signers
        self.service = service
        self.data_keys = data_keys
        self.sources = sources
        self.startup = startup
        self.gathering: Gathering | None = None
        self.checker: Checker | None = None
        self.observe: Callable[[int, float, float], None] = _nobody
        self.stopped: Callable[[], Startup | None] = _goes_on
        self._lock = threading.RLock()
        self._closed = False
        self._limited = Limited()
        self._salts = Salts(sources)
        self._means = Means(
            origin=origin,
            signers=signers,
            service=service,
            data_keys=data_keys,
            sources=sources,
            salts=self._salts,
        )
        self._reset()

    @property
    def fold(self) -> LogFold:
        """The fold as of the last commit or `refresh`; for reading, never for changing."""
        return self._fold

    @property
    def refused_beyond(self) -> Mapping[str, int]:
        """How many refusals of each person were only counted since the last recorded one."""
        return self._limited.refused

    @property
    def prompted_beyond(self) -> Mapping[str, int]:
        """How many prompts of each person were only counted since the last recorded one."""
        return self._limited.prompted

    def refresh(self) -> LogFold:
        """Catch up with what other processes recorded, and return the fold."""
        with self._lock, self.store.snapshot() as reads:
            fold = self._caught_up(reads, reads.size)
            fold.reader.reads = self.store
            return fold

    def record(self, submission: Submission) -> Recorded:
        """Record one statement.

        Raises:
            FormatError, SignatureError, RefusedError, ConflictError, FrozenError, StoreError.
        """
        outcome = self.record_all([submission])[0]
        if isinstance(outcome, LedgerError):
            raise outcome
        return outcome

    def record_all(
        self,
        submissions: Sequence[Submission],
        *,
        breaches_last: bool = False,
    ) -> list[Outcome]:
        """Record statements in one commit; one outcome each, in order.

        With `breaches_last` what they break is recorded behind all of them, so that statements which were
        signed one behind the other in one stream all fit their places. Where the ledger has a `checker`, it
        checks their signatures beside.

        Raises:
            FrozenError, StoreError: nothing of the call was recorded.
        """
        self._require_writing()
        self._require_witnesses(submissions)

        def take(tx: Transaction) -> list[Outcome]:
            last: Deferred | None = [] if breaches_last else None
            if len(submissions) > 1:
                tx.batch.ask_ids([submission.statement.id for submission in submissions])
            outcomes = [
                self._take(tx, submission, last, partial(checks.check, n) if checks else None)
                for n, submission in enumerate(submissions)
            ]
            tx.detect_all(last or [], outcomes)
            return outcomes

        with self._lock:
            begun = self.checker
            checks = None if begun is None else begun.begin(self._fold.authority, submissions)
            ids = [submission.statement.id for submission in submissions]
            outcomes, batch = self._write(take, ids, Batch.receipt_all)
            if batch.events:
                self._require_witnesses()
            return [
                outcome if isinstance(outcome, LedgerError) else receipted(self.store, outcome)
                for outcome in outcomes
            ]

    def attest(
        self,
        type_: str,
        stream: str,
        data: Mapping[str, Any],
        *,
        schema: int = 1,
        sealed: Mapping[str, Any] | None = None,
    ) -> Recorded:
        """Record a statement of the service itself, such as `export.generated`.

        `sealed` are values by path; a stream of `access/` is that of the month in which it is recorded, and
        one of a site or participant gives the statement its site.

        Raises:
            FormatError, RefusedError, FrozenError, StoreError.
        """
        self._require_writing()
        self._require_witnesses()

        def add(tx: Transaction) -> Followed:
            followed = Followed()
            # The month is that of `at`, which may be later than the caller's clock (catalogue A).
            name = f"{ACCESS}{tx.batch.at[:7]}" if stream.startswith(ACCESS) else stream
            site = self._site_of(name)
            tx.attest(followed, type_, name, data, schema=schema, sealed=sealed, site=site)
            return followed

        with self._lock:
            followed, batch = self._write(add)
            first, *others = followed.indexes
            recorded = Recorded(
                index=first,
                event=batch.events[0].event,
                leaf=batch.events[0].leaf,
                receipt=b"",
                breaches=tuple(followed.rules),
                added=tuple(others),
            )
            batch.receipt_all([recorded])
            return recorded

    def attest_prompt(
        self, stream: str, data: Mapping[str, Any], sealed: Mapping[str, Any], schema: int = 1
    ) -> int | None:
        """Record a check that prompted somebody; return its index, None where it is only counted.

        Raises:
            FormatError, RefusedError, FrozenError, StoreError.
        """
        self._require_writing()

        def prompt(tx: Transaction) -> int | None:
            site = self._site_of(stream)
            return self._limited.prompt(tx, stream, data, sealed, schema=schema, site=site)

        with self._lock:
            return self._write(prompt)[0]

    def access_stream(self) -> str:
        """Name the stream of views, exports and refusals of the present month."""
        return f"access/{format_instant(self.sources.now_us())[:7]}"

    def stream(self, name: str) -> NewStream:
        """Return tag and salt of a stream, reserving a salt for one that does not exist yet (§4)."""
        with self._lock:
            return self._salts.stream(name, self.store)

    def reserve(self, row: NewStream) -> None:
        """Let a stream that has no event yet begin with this salt, which was signed for already."""
        with self._lock:
            self._salts.reserve(row, self.store)

    @property
    def committed(self) -> Head | None:
        """The head of the newest commit that was made here; None before the first, or after a failure."""
        return self._committed

    def publish(self) -> bytes | None:
        """Publish a checkpoint of the newest head unless there is one; return its bytes (None: empty log).

        A frozen ledger publishes nothing; what it returns is the newest checkpoint that its log still holds.
        record-format.md §5.

        Raises:
            StoreError: the store of checkpoints cannot be read or written.
        """
        if self.startup.frozen:
            return newest_held(self.store, self.checkpoints, self.signers)
        note = publish_newest(self.store, self.checkpoints, self.signers, self.sources)
        return note if note is None or self.gathering is None else self.gathering.cosigned(note)

    def keep(self, *, ending: bool = False) -> None:
        """Keep what is folded beside the ledger, where there is a place and enough of it is new.

        A frozen ledger keeps nothing.
        """
        savepoint, fold = self.savepoint, self._fold
        if savepoint is None or self.startup.frozen or not savepoint.is_due(fold.size, ending=ending):
            return
        with self._lock:
            if not self._fold.is_whole:
                return
            state = self._fold.saved()
        with self.store.snapshot() as reads:
            savepoint.save(state, state.size, reads)

    def close(self) -> None:
        """Publish unless frozen, and release everything; closing twice is allowed."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        try:
            with suppress(LedgerError):  # a count that cannot be recorded keeps nothing from ending
                self._sum_up_all()
            if not self.startup.frozen:
                self.publish()
                self.keep(ending=True)
        finally:
            self.store.close()
            self.checkpoints.close()
            self.data_keys.close()
            if self.gathering is not None:
                self.gathering.kept.close()

    def _reset(self) -> None:
        self._fold = LogFold(StoreReader(self.store, self._opened), lazy=self._lazy)
        self._roots: dict[int, bytes] = {}
        self._committed: Head | None = None

    def _caught_up(self, reads: Reads, size: int) -> LogFold:
        if self._fold.size == 0 and self.savepoint is not None:
            state = self.savepoint.load(reads, size)
            if isinstance(state, FoldState):
                self._fold = LogFold.of(self._fold.reader, state)
        self._fold.catch_up(reads, size)
        return self._fold

    def _opened(self, statement: Statement, disclosures: Sequence[NewDisclosure]) -> Mapping[str, Any] | None:
        """Open what is stored of a statement; None where one of its values is erased (§7)."""
        if len(disclosures) != len(statement.sealed):
            return None
        try:
            opened = {
                d.path: self.data_keys.open(d.event, d.path, d.stream, d.scope, d.nonce, d.ciphertext)
                for d in disclosures
            }
        except StoreError as error:
            if error.code in (DESTROYED, MISSING):
                return None
            raise
        return {path: open_disclosure(disclosure).value for path, disclosure in opened.items()}

    def _require_writing(self) -> None:
        self.startup = self.stopped() or self.startup
        if self.startup.frozen:
            raise FrozenError(self.startup.code or "FROZEN", self.startup.message)

    def _require_witnesses(self, submissions: Sequence[Submission] = ()) -> None:
        """Have the quorum that the log asks for under the newest head: before anything is added, and again
        before a receipt (record-format.md §5).

        A change of policy may always be recorded, else witnesses that are gone would stop a log for good; one
        that asks for a quorum has to have it under the head that it is recorded on.
        """
        gathering = self.gathering
        changes = [each.statement for each in submissions if each.statement.type == "policy.changed"]
        if gathering is None and not changes:
            return
        asked = [policy for policy in map(witness_policy, changes) if policy is not None]
        if gathering is None:
            if any(policy.quorum for policy in asked):
                raise RefusedError("WITNESS_POLICY", "witnesses are asked by a ledger with a directory only")
            return
        if self._fold.size == 0:
            self.refresh()
        if changes and not any(policy.quorum for policy in asked):
            return
        if not changes and gathering.is_met(self.store.head().size):
            return
        note = publish_newest(self.store, self.checkpoints, self.signers, self.sources)
        if note is None:
            return
        for policy in asked or (None,):
            gathering.require(note, policy)

    def _write(
        self,
        work: Callable[[Transaction], T],
        ids: Sequence[str] = (),
        meanwhile: Callable[[Batch, T], None] | None = None,
    ) -> tuple[T, Batch]:
        """Do work under the write lock with a caught-up fold, and make what it added durable in one commit.

        `ids` are those of statements that the work asks the log for. `meanwhile` is done once the commit is
        on its way, and counts only if it arrives.

        Whatever fails once the lock is held, the fold is dropped. A lock that was not got leaves it as it is.
        """
        held, committed = False, self._committed
        began, waited_s = time.perf_counter(), 0.0
        try:
            with self.store.write(ids) as tx:
                held, waited_s = True, time.perf_counter() - began
                self._require_writing()  # once more: it may have been frozen for good meanwhile
                head = tx.head()
                fold = self._caught_up(tx, head.size)
                _ = fold.conduct  # what is recorded is judged by all of it
                batch = Batch(tx, head, fold, self.sources, self.signers.head, self._roots)
                result = work(Transaction(self._means, fold, batch))
                if batch.events:
                    tx.append(batch.commit(self.data_keys), last=True)
                    committed = batch.head
                    if meanwhile is not None:
                        meanwhile(batch, result)
        except BaseException:
            if held:
                self._reset()
            raise
        self._committed = committed
        fold.reader.reads = self.store
        fold.reader.durable()
        if batch.events:
            self.observe(len(batch.events), waited_s, time.perf_counter() - began)
        return result, batch

    def _take(
        self, tx: Transaction, submission: Submission, last: Deferred | None, check: CheckSignatures | None
    ) -> Outcome:
        outcome = tx.take(submission, last, check)
        if isinstance(outcome, RefusedError):
            self._limited.refuse(tx, submission, outcome)
        return outcome

    def _sum_up_all(self) -> None:
        """Record what was only counted, before a clean stop."""
        if self.startup.frozen or not (self.refused_beyond or self.prompted_beyond):
            return
        with self._lock:
            self._write(self._limited.sum_up_all)

    def _site_of(self, stream: str) -> str | None:
        """Return the site that statements of a stream name (record-format.md §2)."""
        kind, _, name = stream.partition("/")
        if kind in ("site", "pharmacy"):
            return name
        participant = self._fold.conduct.state(name) if kind == "participant" else None
        return None if participant is None else participant.site


def _goes_on() -> Startup | None:
    """Stand for a ledger that nobody can freeze while it is open: one without a directory."""
    return None


def _nobody(entries: int, waited_s: float, took_s: float) -> None:
    """Stand for whoever counts commits: how many entries, how long for the lock, how long in all."""
