"""One write transaction: submissions judged in order, and what the service adds to them.

    form → signatures → known? → authority → seq, prev, seen → rules → leaf → follow-ups

Everything happens under the write lock, over a fold that has caught up. A gate that breaks a rule is
refused; a fact is recorded, and so is its breach (catalogue R6). What the service adds (`breach.detected`,
`participant.randomized`) is built from the heads that hold here, and stands in the same commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger import allocation
from ledger.actions.registry import Action, parse_action
from ledger.admission import (
    check_attachments,
    check_chain,
    check_log,
    check_witnesses,
    open_disclosures,
    openings_of,
    raise_first,
    raise_refusing,
)
from ledger.authorisation import check_signatures, judge
from ledger.authority import SERVICE, Authority
from ledger.batch import Batch, Opening
from ledger.conduct import Violation
from ledger.datakeys import DataKeys
from ledger.entry import Entry
from ledger.errors import FormatError, FrozenError, LedgerError, RefusedError, StoreError
from ledger.fold import LogFold
from ledger.leaf import MAX_LEAF_BYTES, Leaf, encode_leaf
from ledger.recorded import Recorded
from ledger.salts import Salts
from ledger.service import LogSigners, Service
from ledger.sources import Sources
from ledger.statement import Statement
from ledger.store.port import NewStream
from ledger.submission import Submission

Outcome = Recorded | LedgerError
CheckSignatures = Callable[[Authority, Statement, Leaf], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a ledger records with, the same for all its transactions."""

    origin: str
    signers: LogSigners
    service: Service
    data_keys: DataKeys
    sources: Sources
    salts: Salts


@dataclass(slots=True, kw_only=True)
class Followed:
    """What the service added to a statement: indexes in order, and the rules of breaches among them.

    `of` is that statement's index, None for one of the service.
    """

    of: int | None = None
    indexes: list[int] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)


Deferred = list[tuple[Followed, Violation]]
"""Breaches that are recorded at the end, and what they followed from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """A statement that may enter: its entry, leaf bytes, row of a new stream, openings, what it breaks."""

    entry: Entry
    leaf: bytes
    row: NewStream | None
    openings: Sequence[Opening]
    violations: tuple[Violation, ...]


class Transaction:
    """An open batch with the fold that advances beside it; lives as long as the write lock is held."""

    __slots__ = ("batch", "fold", "means")

    def __init__(self, means: Means, fold: LogFold, batch: Batch) -> None:
        self.means = means
        self.fold = fold
        self.batch = batch

    def take(
        self, submission: Submission, last: Deferred | None = None, check: CheckSignatures | None = None
    ) -> Outcome:
        """Take one submission in the order of interfaces.md: form, signatures, known E, all the rest.

        What it breaks is recorded behind it, or noted in `last`. What is wrong with the submission is
        returned, as a `RefusedError` only if its signatures hold. A failure while it is added is raised, and
        ends the whole transaction. `check` stands in for `check_signatures`, where it was begun ahead: the
        submission is judged meanwhile, and what was found is told to nobody before the signatures hold.
        """
        statement, authority = submission.statement, self.fold.authority
        entry = self.batch.candidate(submission)
        try:
            opened = open_disclosures(submission)
            action = parse_action(statement, opened)
            if check is None:
                check_signatures(authority, statement, entry.leaf)
            known = self._known(statement)
            judged = self._judge(submission, entry, action, opened) if known is None else None
            if check is not None:
                check(authority, statement, entry.leaf)
            if isinstance(judged, LedgerError):
                return judged
            answer = self._allocate(entry, statement) if judged is not None else None
        except LedgerError as error:
            return error
        if judged is not None:
            return self._apply(judged, answer, last)
        assert known is not None  # noqa: S101  else it was judged
        return Recorded(
            index=known.index, event=known.event, leaf=encode_leaf(known.leaf), receipt=b"", again=True
        )

    def attest(
        self,
        followed: Followed,
        type_: str,
        stream: str,
        data: Mapping[str, Any],
        *,
        schema: int = 1,
        sealed: Mapping[str, Any] | None = None,
        site: str | None = None,
        protocol: str | None = None,
    ) -> None:
        """Build, sign and add a statement of the service, and what follows from it.

        Raises:
            FormatError, RefusedError, FrozenError.
        """
        fold, batch, means = self.fold, self.batch, self.means
        if not self.may_attest():
            raise FrozenError("SERVICE_KEY", "the service's account or key does not count any more")
        row = batch.streams.get(stream) or means.salts.stream(stream, batch.tx)
        submission = means.service.attest(
            sources=means.sources,
            authority=fold.authority,
            origin=means.origin,
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
            openings=openings_of(submission, batch.find),
            violations=violations,
        )
        self._add(followed, judged)

    def detect(self, followed: Followed, violation: Violation) -> None:
        """Record a breach of a statement."""
        named = self.batch.entry_of(violation.statement).statement
        if named is None:
            raise StoreError("STORE_CORRUPT", "a breach names a statement that is not in the store")
        data = {"rule": violation.rule, "statement": violation.statement}
        followed.rules.append(violation.rule)
        # The site of the stream as it is now: since the statement the participant may have been transferred.
        head = self.fold.chain.head_of(named.stream)
        site = head.site if head.seq else self._site_before(named)
        self.attest(followed, "breach.detected", named.stream, data, site=site)

    def detect_all(self, last: Deferred, outcomes: Sequence[Outcome]) -> None:
        """Record the breaches that were noted for the end, and name them in the outcomes that they follow."""
        for followed, violation in last:
            self.detect(followed, violation)
        if not last:
            return
        told = {followed.of: followed for followed, _ in last}
        for outcome in outcomes:
            followed_by = None if isinstance(outcome, LedgerError) else told.get(outcome.index)
            if followed_by is not None:
                # Nobody else has the outcome yet; it is frozen for everyone to whom it is given.
                object.__setattr__(outcome, "breaches", tuple(followed_by.rules))
                object.__setattr__(outcome, "added", tuple(followed_by.indexes))

    def may_attest(self) -> bool:
        """Tell whether the service that this process runs may sign at the next index."""
        authority = self.fold.authority
        person = authority.persons.get(SERVICE)
        key_id = self.means.service.key_id
        return person is not None and person.active and authority.live(key_id, self.batch.size)

    def _site_before(self, named: Statement) -> str | None:
        """Return the site of a stream that has nothing in this epoch yet."""
        kind, _, name = named.stream.partition("/")
        participant = self.fold.conduct.state(name) if kind == "participant" else None
        return named.site if participant is None else participant.site

    def _known(self, statement: Statement) -> Entry | None:
        """Return the entry of a statement that the log or this batch has already (R5)."""
        # What is recorded stands in its stream at its seq: what comes after the newest there is new.
        if statement.seq > self.fold.chain.head_of(statement.stream).seq:
            return None
        return None if self.batch.index_of(statement.event) is None else self.batch.entry_of(statement.event)

    def _judge(
        self, submission: Submission, entry: Entry, action: Action, opened: Mapping[str, Any]
    ) -> _Judged | LedgerError:
        """Judge one submission where it would stand; nothing is changed. What is wrong is returned."""
        self.fold.reader.disclosed[entry.event] = opened
        try:
            return self._find(submission, entry, action)
        except LedgerError as error:
            return error

    def _find(self, submission: Submission, entry: Entry, action: Action) -> _Judged:
        statement, fold, batch = submission.statement, self.fold, self.batch
        leaf = encode_leaf(entry.leaf)
        if len(leaf) > MAX_LEAF_BYTES:
            raise FormatError("SIZE", f"a leaf has at most {MAX_LEAF_BYTES} bytes", field="/signatures")
        check_log(statement, self.means.origin, self.means.signers)
        raise_first(judge(fold.authority, entry))
        if batch.has_id(statement.id):
            raise RefusedError("ID_REUSED", "another statement has this id", field="/id")
        check_chain(fold.chain, entry, batch.root_at)
        row = self._first_row(statement)
        openings = openings_of(submission, batch.find)
        check_attachments(batch.tx, statement)
        check_witnesses(statement)
        violations = fold.conduct.judge(entry, fold.authority)
        raise_refusing(action, violations)
        return _Judged(entry=entry, leaf=leaf, row=row, openings=openings, violations=violations)

    def _allocate(self, entry: Entry, statement: Statement) -> allocation.Answer | None:
        """Check what a statement of randomization is made from; answer a request for it."""
        fold, batch = self.fold, self.batch
        if statement.type == "randomization.list_committed":
            allocation.check_beacon(statement, fold.conduct.study, batch.entry_at, batch.root_at)
        elif statement.type == "randomization.list_opened":
            older = allocation.older_lists(batch.tx)
            allocation.check_opening(statement, (*older, *batch.statements(allocation.OF_LISTS)))
        elif statement.type == "randomization.requested":
            return allocation.answer(
                entry,
                participant=fold.conduct.state(statement.stream.partition("/")[2]),
                study=fold.conduct.study,
                origin=self.means.origin,
                reads=batch.tx,
                entry_at=batch.entry_at,
                data_keys=self.means.data_keys,
            )
        return None

    def _apply(self, judged: _Judged, answer: allocation.Answer | None, last: Deferred | None) -> Recorded:
        """Add a judged submission and what follows from it; a failure here ends the whole transaction."""
        entry, followed = judged.entry, Followed(of=judged.entry.index)
        self._add(followed, judged, last)
        if answer is not None and entry.statement is not None:
            statement = entry.statement
            self.attest(
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

    def _add(self, followed: Followed, judged: _Judged, last: Deferred | None = None) -> None:
        """Add an entry, then the breaches that it is or brings to light; or note these for the end."""
        self.batch.add(
            judged.entry,
            leaf=judged.leaf,
            openings=judged.openings,
            stream=judged.row,
            guards=self.fold.conduct.guards(judged.entry),
        )
        caused = self.fold.advance(judged.entry)
        for violation in (*judged.violations, *caused):
            if last is None:
                self.detect(followed, violation)
            else:
                last.append((followed, violation))

    def _first_row(self, statement: Statement) -> NewStream | None:
        """Return the stream's row where this statement is its first."""
        if statement.seq != 1:
            return None
        row = self.means.salts.stream(statement.stream, self.batch.tx)
        if row.tag != statement.tag:
            raise RefusedError("TAG", "not the tag that was given out for this stream", field="/tag")
        return row
