"""The one write path: everything that enters the log enters here.

    parse → [write lock: catch up → form → signatures → known? → authority → seq, prev, seen → rules → leaf →
          follow-ups] → one durable commit → receipt

Submissions of one call are judged one by one, each after the earlier ones, and become durable together. What
the service adds (`breach.detected`, `participant.randomized`, `command.refused`) is built inside the lock and
stands in the same commit. A gate that breaks a rule is refused and the refusal recorded; a fact is recorded,
and so is its breach (catalogue R6).

After any failure the fold is dropped and made again from the log, so memory never holds what is not durable.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from ledger import allocation
from ledger.actions.registry import Action, parse_action, spec
from ledger.admission import (
    check_attachments,
    check_witnesses,
    open_disclosures,
    raise_first,
    raise_refusing,
)
from ledger.authorisation import check_signatures, judge
from ledger.authority import SERVICE
from ledger.batch import Batch, Opening
from ledger.checkpoint import check_head, publish
from ledger.conduct import Violation
from ledger.datakeys import DESTROYED, MISSING, DataKeys
from ledger.entry import Entry
from ledger.errors import ConflictError, FormatError, FrozenError, LedgerError, RefusedError, StoreError
from ledger.fold import LogFold, StoreReader
from ledger.leaf import MAX_LEAF_BYTES, encode_leaf
from ledger.merkle import read_frontier
from ledger.note import format_vkey
from ledger.proof import format_receipt
from ledger.recorded import Recorded, receipt_of
from ledger.refusals import PROMPTED, REFUSED, SUMMED_UP, payload_hmac
from ledger.sealing import open_disclosure
from ledger.service import LogSigners, Service, new_stream
from ledger.sources import Sources
from ledger.statement import Statement
from ledger.store.checkpoints import CheckpointStore
from ledger.store.port import NewDisclosure, NewStream, Store
from ledger.store.startup import Startup
from ledger.submission import Submission
from ledger.tiles import TileHashes
from ledger.times import format_instant

TARGET: Final = "target"
MAX_RESERVED: Final = 4_096  # salts given out for streams that have no event yet; the oldest goes first
STALE: Final = frozenset({"SEQ", "PREV"})
TAGS: Final = frozenset({"TAG", "TWO_TAGS"})
ACCESS: Final = "access/"


Outcome = Recorded | LedgerError


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
    ) -> None:
        self.origin = origin
        self.store = store
        self.checkpoints = checkpoints
        self.signers = signers
        self.service = service
        self.data_keys = data_keys
        self.sources = sources
        self.startup = startup
        self._lock = threading.RLock()
        self._closed = False
        self.refused_beyond: dict[str, int] = {}
        self.prompted_beyond: dict[str, int] = {}
        self._reserved: dict[str, NewStream] = {}
        self._reset()

    @property
    def fold(self) -> LogFold:
        """The fold as of the last commit or `refresh`; for reading, never for changing."""
        return self._fold

    def refresh(self) -> LogFold:
        """Catch up with what other processes recorded, and return the fold."""
        with self._lock, self.store.snapshot() as reads:
            self._fold.catch_up(reads, reads.size)
            self._fold.reader.reads = self.store
            return self._fold

    def record(self, submission: Submission) -> Recorded:
        """Record one statement.

        Raises:
            FormatError, SignatureError, RefusedError, ConflictError, FrozenError, StoreError.
        """
        outcome = self.record_all([submission])[0]
        if isinstance(outcome, LedgerError):
            raise outcome
        return outcome

    def record_all(self, submissions: Sequence[Submission], *, breaches_last: bool = False) -> list[Outcome]:
        """Record statements in one commit; one outcome each, in order.

        With `breaches_last` what they break is recorded behind all of them, so that statements which were
        signed one behind the other in one stream all fit their places; the outcomes do not name it then.

        Raises:
            FrozenError, StoreError: nothing of the call was recorded.
        """
        self._require_writing()
        with self._lock:
            with self._batch() as batch:
                last: _Deferred | None = [] if breaches_last else None
                outcomes = [self._one(batch, submission, last) for submission in submissions]
                for followed, violation in last or ():
                    self._detect(batch, followed, violation)
            return [self._with_receipt(batch, outcome) for outcome in outcomes]

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
        with self._lock:
            followed = _Followed()
            with self._batch() as batch:
                # The month is that of `at`, which may be later than the caller's clock (catalogue A).
                name = f"{ACCESS}{batch.at[:7]}" if stream.startswith(ACCESS) else stream
                self._attest(
                    batch, followed, type_, name, data, schema=schema, sealed=sealed, site=self._site_of(name)
                )
            first, *others = followed.indexes
            recorded = Recorded(
                index=first,
                event=batch.events[0].event,
                leaf=batch.events[0].leaf,
                receipt=b"",
                breaches=tuple(followed.rules),
                added=tuple(others),
            )
            return self._receipted(batch, recorded)

    def _site_of(self, stream: str) -> str | None:
        """Return the site that statements of a stream name (record-format.md §2)."""
        kind, _, name = stream.partition("/")
        if kind in ("site", "pharmacy"):
            return name
        participant = self._fold.conduct.state(name) if kind == "participant" else None
        return None if participant is None else participant.site

    def access_stream(self) -> str:
        """Name the stream of views, exports and refusals of the present month."""
        return f"access/{format_instant(self.sources.now_us())[:7]}"

    def stream(self, name: str) -> NewStream:
        """Return tag and salt of a stream, reserving a salt for one that does not exist yet (§4)."""
        with self._lock:
            known = self.store.stream(name)
            if known is not None:
                return known
            reserved = self._reserved.get(name)
            if reserved is None:
                if len(self._reserved) >= MAX_RESERVED:
                    del self._reserved[next(iter(self._reserved))]
                reserved = self._reserved[name] = new_stream(name, self.sources)
            return reserved

    def reserve(self, row: NewStream) -> None:
        """Let a stream that has no event yet begin with this salt, which was signed for already."""
        with self._lock:
            if self.store.stream(row.stream) is None:
                self._reserved[row.stream] = row

    def publish(self) -> bytes | None:
        """Publish a checkpoint of the newest head unless there is one; return its bytes (None: empty log).

        A frozen ledger publishes nothing; what it returns is the newest checkpoint that its log still holds.
        record-format.md §5.

        Raises:
            StoreError: the store of checkpoints cannot be read or written.
        """
        if self.startup.frozen:
            return self._newest_held()
        while True:
            head = self.store.head()
            latest = self.checkpoints.latest()
            if head.size == 0:
                return None
            if latest is not None and latest[0] >= head.size:
                return self.checkpoints.get(head.size) or latest[1]
            note = publish(head.note, self.signers.published, self.sources.now_us() // 1_000_000)
            try:
                self.checkpoints.publish(note, head.size, latest[0] if latest else 0)
            except ConflictError:
                continue  # another process published meanwhile: what it published is the newest now
            return note

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
        finally:
            self.store.close()
            self.checkpoints.close()
            self.data_keys.close()

    def _newest_held(self) -> bytes | None:
        """Return the newest published checkpoint whose root the stored tree still has."""
        found = self.checkpoints.newest_within(self.store.head().size)
        while found is not None:
            size, note = found
            promised = check_head(note, self.signers.verifier_keys)
            with suppress(StoreError):  # a part of the tree is gone: a smaller one may be whole
                if read_frontier(size, TileHashes(self.store.tile_hashes)).root() == promised.root:
                    return note
            found = self.checkpoints.newest_within(size - 1)
        return None

    def _reset(self) -> None:
        self._fold = LogFold(StoreReader(self.store, self._opened))
        self._roots: dict[int, bytes] = {}

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
        if self.startup.frozen:
            raise FrozenError(self.startup.code or "FROZEN", self.startup.message)

    @contextmanager
    def _batch(self) -> Iterator[Batch]:
        """Hold the write lock with a caught-up fold, and make what was added durable in one commit.

        Whatever fails once the lock is held, the fold is dropped. A lock that was not got leaves it as it is.
        """
        held = False
        try:
            with self.store.write() as tx:
                held = True
                head = tx.head()
                self._fold.catch_up(tx, head.size)
                batch = Batch(tx, head, self._fold, self.sources, self.signers.head, self._roots)
                yield batch
                if batch.events:
                    tx.append(batch.commit(self.data_keys))
        except BaseException:
            if held:
                self._reset()
            raise
        self._fold.reader.reads = self.store
        self._fold.reader.pending.clear()
        self._fold.reader.disclosed.clear()

    def _one(self, batch: Batch, submission: Submission, last: _Deferred | None) -> Outcome:
        """Take one submission in the order of interfaces.md: form, signatures, known E, all the rest."""
        statement = submission.statement
        entry = batch.candidate(submission)
        try:
            opened = open_disclosures(submission)
            action = parse_action(statement, opened)
            check_signatures(self._fold.authority, statement, entry.leaf)
        except LedgerError as error:
            return error
        index = batch.index_of(statement.event)
        if index is not None:
            known = batch.entry_of(statement.event)
            return Recorded(
                index=index, event=known.event, leaf=encode_leaf(known.leaf), receipt=b"", again=True
            )
        self._fold.reader.disclosed[statement.event] = opened
        try:
            judged = self._judge(batch, submission, entry, action)
        except LedgerError as error:
            if isinstance(error, RefusedError):
                self._refuse(batch, submission, error)
            return error
        return self._apply(batch, judged, last)

    def _judge(self, batch: Batch, submission: Submission, entry: Entry, action: Action) -> _Judged:
        """Judge one submission where it would stand; nothing is changed."""
        statement = submission.statement
        fold = self._fold
        leaf = encode_leaf(entry.leaf)
        if len(leaf) > MAX_LEAF_BYTES:
            raise FormatError("SIZE", f"a leaf has at most {MAX_LEAF_BYTES} bytes", field="/signatures")
        self._check_log(statement)
        raise_first(judge(fold.authority, entry))
        if batch.has_id(statement.id):
            raise RefusedError("ID_REUSED", "another statement has this id", field="/id")
        self._check_chain(batch, entry)
        row = self._first_row(statement)
        openings = self._openings(batch, submission)
        check_attachments(batch.tx, statement)
        check_witnesses(statement)
        violations = fold.conduct.judge(entry, fold.authority)
        raise_refusing(action, violations)
        answer = None
        if statement.type == "randomization.list_committed":
            allocation.check_beacon(statement, fold.conduct.study, batch.entry_at, batch.root_at)
        if statement.type == "randomization.list_opened":
            allocation.check_opening(statement, batch.statements(allocation.OF_LISTS), self.origin)
        if statement.type == "randomization.requested":
            answer = allocation.answer(
                entry,
                participant=fold.conduct.state(statement.stream.partition("/")[2]),
                study=fold.conduct.study,
                origin=self.origin,
                reads=batch.tx,
                entry_at=batch.entry_at,
                data_keys=self.data_keys,
            )
        return _Judged(
            entry=entry, leaf=leaf, row=row, openings=openings, violations=violations, answer=answer
        )

    def _apply(self, batch: Batch, judged: _Judged, last: _Deferred | None) -> Recorded:
        """Add a judged submission and what follows from it; a failure here ends the whole transaction."""
        entry, followed = judged.entry, _Followed()
        self._add(batch, followed, judged, last)
        if judged.answer is not None and entry.statement is not None:
            statement, answer = entry.statement, judged.answer
            self._attest(
                batch,
                followed,
                "participant.randomized",
                statement.stream,
                answer.data,
                schema=answer.schema,
                sealed=answer.sealed,
                site=statement.site,
                protocol=statement.protocol,
            )
        return Recorded(
            index=entry.index,
            event=entry.event,
            leaf=judged.leaf,
            receipt=b"",
            breaches=tuple(followed.rules),
            added=tuple(followed.indexes),
        )

    def _add(self, batch: Batch, followed: _Followed, judged: _Judged, last: _Deferred | None = None) -> None:
        """Add an entry, then the breaches that it is or brings to light; or note these for the end."""
        batch.add(
            judged.entry,
            leaf=judged.leaf,
            openings=judged.openings,
            stream=judged.row,
            guards=self._fold.conduct.guards(judged.entry),
        )
        caused = self._fold.advance(judged.entry)
        for violation in (*judged.violations, *caused):
            if last is None:
                self._detect(batch, followed, violation)
            else:
                last.append((followed, violation))

    def _openings(self, batch: Batch, submission: Submission) -> list[Opening]:
        statement = submission.statement
        known = spec(statement.type, statement.schema)
        openings = []
        for path, disclosure in submission.disclosures.items():
            scope = known.scope_at(path)
            if scope == TARGET:
                corrected = batch.entry_of(statement.data["statement"]).statement
                scope = None
                if corrected is not None:
                    scope = spec(corrected.type, corrected.schema).scope_at(statement.data["path"])
            if scope is None:
                raise FormatError("SEALED_PATHS", "expected a sealed path of the corrected statement")
            openings.append(
                Opening(
                    event=statement.event,
                    path=path,
                    scope=scope,
                    stream=statement.stream,
                    disclosure=disclosure,
                )
            )
        return openings

    def _detect(self, batch: Batch, followed: _Followed, violation: Violation) -> None:
        named = batch.entry_of(violation.statement).statement
        if named is None:
            raise StoreError("STORE_CORRUPT", "a breach names a statement that is not in the store")
        data = {"rule": violation.rule, "statement": violation.statement}
        followed.rules.append(violation.rule)
        # The site of the stream as it is now: since the statement the participant may have been transferred.
        site = self._fold.chain.head(named.tag).site
        self._attest(batch, followed, "breach.detected", named.stream, data, site=site)

    def _attest(
        self,
        batch: Batch,
        followed: _Followed,
        type_: str,
        stream: str,
        data: Mapping[str, Any],
        *,
        schema: int = 1,
        sealed: Mapping[str, Any] | None = None,
        site: str | None = None,
        protocol: str | None = None,
    ) -> None:
        """Build, sign and add a statement of the service, and what follows from it."""
        fold = self._fold
        if not self._may_attest(batch.size):
            raise FrozenError("SERVICE_KEY", "the service's account or key does not count any more")
        row = batch.streams.get(stream) or self.stream(stream)
        submission = self.service.attest(
            sources=self.sources,
            authority=fold.authority,
            origin=self.origin,
            at=batch.at,
            seen=batch.base,
            head=fold.chain.head(row.tag),
            row=row,
            type_=type_,
            data=data,
            schema=schema,
            sealed=sealed,
            site=site,
            protocol=protocol,
        )
        entry = batch.candidate(submission)
        raise_first((*judge(fold.authority, entry), *fold.chain.check(entry, batch.root_at)))
        violations = fold.conduct.judge(entry, fold.authority)
        opened = open_disclosures(submission)
        raise_refusing(parse_action(submission.statement, opened), violations)
        followed.indexes.append(entry.index)
        judged = _Judged(
            entry=entry,
            leaf=encode_leaf(entry.leaf),
            row=self._first_row(submission.statement),
            openings=self._openings(batch, submission),
            violations=violations,
            answer=None,
        )
        self._add(batch, followed, judged)

    def _may_attest(self, index: int) -> bool:
        """Tell whether the service that this process runs may sign at an index."""
        authority = self._fold.authority
        person = authority.persons.get(SERVICE)
        return person is not None and person.active and authority.live(self.service.key_id, index)

    def _check_log(self, statement: Statement) -> None:
        """Require the log that this ledger is, and at its opening the log keys that it signs with (§5)."""
        if statement.log != self.origin:
            raise RefusedError("LOG", "the statement belongs to another log", field="/log")
        if statement.type != "ledger.opened":
            return
        own = [format_vkey(key) for key in self.signers.verifier_keys]
        if sorted(statement.data["log_keys"]) != sorted(own):
            raise RefusedError("LOG_KEYS", "expected the keys of this log", field="/data/log_keys")

    def _first_row(self, statement: Statement) -> NewStream | None:
        """Return the stream's row where this statement is its first."""
        if statement.seq != 1:
            return None
        row = self.stream(statement.stream)
        if row.tag != statement.tag:
            raise RefusedError("TAG", "not the tag that was given out for this stream", field="/tag")
        return row

    def _check_chain(self, batch: Batch, entry: Entry) -> None:
        """Refuse a wrong place, and tell who signed against an older head to sign again."""
        problems = self._fold.chain.check(entry, batch.root_at)
        stale = next((problem for problem in problems if problem.code in STALE), None)
        tag = next((problem for problem in problems if problem.code in TAGS), None)
        begun = tag is not None and tag.code == "TWO_TAGS" and entry.leaf.stream not in self._fold.chain.heads
        if begun and stale is None:
            stale, tag = tag, None  # the stream was begun by another process, whose salt it has
        if stale is not None and tag is None:
            raise ConflictError("STALE", stale.message, field=stale.field)
        raise_first(problems)

    def _refuse(self, batch: Batch, submission: Submission, error: RefusedError) -> None:
        """Record a refusal, for a valid signature of an enrolled person; count those beyond the limit."""
        statement = submission.statement
        who = self._fold.authority.person_of(statement.key.id)
        if who is None or not self._may_attest(batch.size):
            return
        if not self._fold.refusals.admits(who, batch.at_us):
            self.refused_beyond[who] = self.refused_beyond.get(who, 0) + 1
            return
        self._sum_up(batch, who)
        data = {
            "payload_hmac": payload_hmac(self.service.secret, statement.body),
            "rule": error.code,
            "type": statement.type,
            "who": who,
        }
        self._attest(batch, _Followed(), "command.refused", f"{ACCESS}{batch.at[:7]}", data)

    def _sum_up(self, batch: Batch, who: str, type_: str = REFUSED) -> None:
        """Record how many refusals, or prompts, of a person were only counted since the last recorded one."""
        beyond = self.prompted_beyond if type_ == PROMPTED else self.refused_beyond
        count, since = beyond.pop(who, 0), self._fold.refusals.last(who, type_)
        if count and since is not None:
            data = {"count": count, "since": since, "who": who}
            stream = f"{ACCESS}{batch.at[:7]}"
            self._attest(batch, _Followed(), type_, stream, data, schema=SUMMED_UP[type_])

    def _sum_up_all(self) -> None:
        """Record what was counted of every person, before a clean stop."""
        if self.startup.frozen or not (self.refused_beyond or self.prompted_beyond):
            return
        with self._lock, self._batch() as batch:
            if self._may_attest(batch.size):
                for who in sorted(self.refused_beyond):
                    self._sum_up(batch, who)
                for who in sorted(self.prompted_beyond):
                    self._sum_up(batch, who, PROMPTED)

    def attest_prompt(
        self, stream: str, data: Mapping[str, Any], sealed: Mapping[str, Any], schema: int = 1
    ) -> int | None:
        """Record a check that prompted somebody; return its index, None where it is only counted.

        Raises:
            FormatError, RefusedError, FrozenError, StoreError.
        """
        self._require_writing()
        with self._lock, self._batch() as batch:
            who, followed = data["who"], _Followed()
            if not self._fold.refusals.admits(who, batch.at_us, PROMPTED):
                self.prompted_beyond[who] = self.prompted_beyond.get(who, 0) + 1
                return None
            self._sum_up(batch, who, PROMPTED)
            self._attest(
                batch,
                followed,
                PROMPTED,
                stream,
                data,
                schema=schema,
                sealed=sealed,
                site=self._site_of(stream),
            )
            return followed.indexes[0]

    def _with_receipt(self, batch: Batch, outcome: Outcome) -> Outcome:
        return outcome if isinstance(outcome, LedgerError) else self._receipted(batch, outcome)

    def _receipted(self, batch: Batch, outcome: Recorded) -> Recorded:
        if outcome.again or batch.head is None:
            receipt = receipt_of(self.store, outcome.index)
        else:
            proof = batch.prove(outcome.index)
            receipt = format_receipt(outcome.leaf, outcome.index, proof, batch.head.note)
        return Recorded(
            index=outcome.index,
            event=outcome.event,
            leaf=outcome.leaf,
            receipt=receipt,
            again=outcome.again,
            breaches=outcome.breaches,
            added=outcome.added,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """A statement that may enter: its entry, leaf bytes, row of a new stream, openings, and what follows."""

    entry: Entry
    leaf: bytes
    row: NewStream | None
    openings: Sequence[Opening]
    violations: tuple[Violation, ...]
    answer: allocation.Answer | None


@dataclass(slots=True, kw_only=True)
class _Followed:
    """What the service added to a statement: indexes in order, and the rules of breaches among them."""

    indexes: list[int] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)


_Deferred = list[tuple[_Followed, Violation]]
