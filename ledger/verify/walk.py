"""The second pass over a bundle: every entry in index order, then what can be said only at the end (§10).

    leaf, statement, labels, seq and prev, `seen`, fold and signature set, disclosures, withheld, rules,
    randomization

Each judge has its own module; here is the order, and which of them an entry with a finding still reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from ledger.actions.registry import read_opened, spec
from ledger.checkpoint import Checkpoint
from ledger.earlier import NONE, Earlier
from ledger.errors import FormatError
from ledger.leaf import Leaf
from ledger.lines import counted
from ledger.note import format_vkey
from ledger.problem import Problem
from ledger.tiles import decode_entries, entries_path
from ledger.verify.brackets import Brackets
from ledger.verify.bundle import Bundle
from ledger.verify.completeness import CompletenessJudge, scopes_of
from ledger.verify.conduct import ConductJudge
from ledger.verify.epochs import NOT_GIVEN
from ledger.verify.files import AttachmentsJudge
from ledger.verify.findings import Finding, finding
from ledger.verify.form import Examined, examined, read_payloads
from ledger.verify.identity import Row, identity_report, one_sided_persons
from ledger.verify.integrity import IntegrityJudge, JudgedEntry
from ledger.verify.options import Options
from ledger.verify.outbox import check_outbox
from ledger.verify.randomization import RandomizationJudge
from ledger.verify.reader import BundleReader
from ledger.verify.rows import Right
from ledger.verify.sidecars import read_streams
from ledger.verify.tree import TILE_WIDTH, Reporter, Roots, chunks, read_entries
from ledger.verify.workers import Chunk, Examiner

CHANGED: Final = "the leaves are others than those that were hashed to the root just before"
_CHANGES: Final = ("correction.made", "correction.proposed")

Progress = Callable[[int, int], None]
"""Told how many entries of how many are judged."""


class Walk:
    """Every entry, in index order."""

    def __init__(
        self,
        bundle: Bundle,
        checkpoint: Checkpoint,
        roots: Roots,
        options: Options,
        report: Reporter,
        earlier: Earlier = NONE,
    ) -> None:
        """Begin before index 0; `roots` are of the tree that the first pass found.

        `earlier` is the older epoch that conduct goes on from.
        """
        self._bundle = bundle
        self._checkpoint = checkpoint
        self._roots = roots
        self._options = options
        self._report = report
        try:
            tags = read_streams(bundle)
        except FormatError as error:
            report(finding(error.code, error.message, file="streams.json"))
            tags = {}
        self._attachments = AttachmentsJudge(bundle, report)
        self._integrity = IntegrityJudge(checkpoint.origin, roots, report, earlier)
        self._completeness = CompletenessJudge(bundle, options.scope, options.role, tags, report)
        self._reader = BundleReader(
            bundle, checkpoint.size, self._integrity.events, self._attachments, earlier
        )
        self._conduct = ConductJudge(self._reader, report, judged=earlier is not NOT_GIVEN)
        self._randomization = RandomizationJudge(roots, report, earlier.lists())
        self._unread: dict[int, list[Finding]] = {}

    def run(self, examine: Examiner, progress: Progress, brackets: Brackets) -> None:
        """Judge every entry, in index order, and write when it was signed."""
        size, done = self._checkpoint.size, 0
        for chunk, found in examine(self._chunks(), lambda: self._integrity.authority):
            if chunk.start > done:
                self._integrity.skip(chunk.start - 1)
            for unread in self._unread.pop(chunk.start, ()):
                self._report(unread)
            for index, each in enumerate(found, start=chunk.start):
                if isinstance(each, Right):
                    self._right(each)
                    if brackets.wanted:
                        brackets.add(each.entry.leaf, index, each.entry.statement)
                elif isinstance(each, Problem):
                    self._report(finding("LEAF", each.message, index=index))
                    self._integrity.skip(index)
                else:
                    self._entry(each)
                    brackets.add(each.parsed.leaf, index, each.parsed.statement)
            done = chunk.start + len(chunk.leaves)
            progress(done, size)

    def finish(self, counts: dict[str, int]) -> None:
        """Judge what can be said only at the end, and count."""
        erasures = self._conduct.people.erasures
        erased = frozenset(digest for each in erasures for digest in each.digests)
        self._completeness.finish(self._checkpoint.size, erased)
        self._attachments.finish()
        self._conduct.finish()
        self._randomization.finish()
        check_outbox(
            self._options,
            self._checkpoint,
            self._roots,
            self._integrity.events,
            self._leaf_at,
            self._integrity.chain.tags,
            self._report,
        )
        self._count(counts)

    def identity(self) -> tuple[Row, ...]:
        """Return who stands behind each key, as of the last entry."""
        return identity_report(self._integrity.authority)

    def _chunks(self) -> Iterator[Chunk]:
        """Read entry bundles, maybe ahead: what is found in reading one is reported when it is judged."""
        for number, width in chunks(self._checkpoint.size):
            start = number * TILE_WIDTH
            unread: list[Finding] = []
            try:
                entries = read_entries(self._bundle, number, width)
                leaves = decode_entries(entries, width)
            except FormatError:
                if self._roots.was_read(start):
                    self._report(finding("ROOT", CHANGED, index=start, file=entries_path(number, width)))
                continue  # or reported by the tree
            if not self._roots.holds(start, entries):
                unread.append(finding("ROOT", CHANGED, index=start, file=entries_path(number, width)))
            payloads = read_payloads(self._bundle, number, width, unread.append)
            if unread:
                self._unread[start] = unread
            yield Chunk(start=start, leaves=leaves, payloads=payloads)

    def _leaf_at(self, index: int) -> Leaf | None:
        entry = self._reader.entry_at(index)
        return None if entry is None else entry.leaf

    def _right(self, right: Right) -> None:
        """Judge a position in which nothing is wrong by itself: as `_entry`, in as few steps as it takes."""
        integrity = self._integrity
        if not integrity.follow(right):
            self._entry(examined(right))
            return
        index, type_, before = right.index, right.question[0], integrity.authority
        opened = self._completeness.follow(right)
        if opened:
            self._has_form(index, type_, right.question[1], opened)
        folds = self._conduct.judge(right, before)
        self._randomization.follow(index, type_)
        if folds:
            self._reader.follow(right.place.stream, index)
            integrity.settle(right)
            self._conduct.evolve(right, before)

    def _entry(self, given: Examined) -> None:
        parsed = given.parsed
        judged = self._integrity.judge(given)
        statement = parsed.statement
        before = self._integrity.authority
        opened = self._completeness.judge(parsed, self._scopes(judged))
        if statement is not None and judged.formed:
            self._attachments.judge(parsed.index, statement)
            if parsed.index == 0:
                self._genesis(statement.data.get("log_keys"))
        if statement is not None and judged.formed and opened:
            type_, schema = statement.type, statement.schema
            if self._has_form(parsed.index, type_, schema, opened):
                self._reader.open(statement, opened)
        if not parsed.shown:
            self._conduct.withhold(parsed.leaf)
            self._randomization.withhold(parsed.leaf)
        folds = judged.counts and self._conduct.judge(judged, before)
        if judged.counts:
            # A step that its rule refuses is part of the story all the same, and has a code of its own here.
            self._randomization.judge(judged.entry, opened, before)
        if folds:
            self._reader.add(judged.entry)
        self._integrity.advance(judged, folds=folds)
        if folds or statement is None:
            self._conduct.evolve(judged, before)

    def _has_form(self, index: int, type_: str, schema: int, opened: Mapping[str, object]) -> bool:
        """Tell whether opened values have the form that their type gives them."""
        try:
            for _ in read_opened(spec(type_, schema), opened):
                pass  # the plain members were read when the statement was examined
        except FormatError as error:
            self._report(
                finding("DISCLOSURE", f"an opened value is not of its form: {error.code}", index=index)
            )
            return False
        return True

    def _scopes(self, judged: JudgedEntry) -> dict[str, str]:
        """Return the scope of each sealed path; a sealed change's values have their target's."""
        statement = judged.entry.statement
        if statement is None or not statement.sealed:
            return {}
        scopes = scopes_of(statement)
        if statement.type in _CHANGES and judged.counts:
            target = self._reader.index_of(statement.data["statement"])
            named = None if target is None else self._reader.entry_at(target)
            if named is not None and named.statement is not None:
                scope = scopes_of(named.statement).get(statement.data["path"])
                scopes.update({path: scope for path in ("/data/new", "/data/old") if scope is not None})
        return scopes

    def _genesis(self, log_keys: object) -> None:
        expected = {format_vkey(key) for key in self._options.policy.keys_of(self._checkpoint.origin)}
        if not isinstance(log_keys, list) or {str(key) for key in log_keys} != expected:
            self._report(finding("LOG_KEYS", "leaf 0 names other log keys than the policy", index=0))

    def _count(self, counts: dict[str, int]) -> None:
        authority = self._integrity.authority
        counts["statements shown"] = self._completeness.shown
        counts["statements withheld"] = self._completeness.withheld
        for grade, number in sorted(self._integrity.grades.items()):
            counts[f"statements resting on a {grade} key"] = number
        counts["sealed values"] = self._completeness.sealed
        counts["sealed values opened here"] = self._completeness.opened
        counts["breaches recorded"] = self._conduct.recorded
        counts["allocations"] = self._randomization.allocations
        for key_id, key in authority.keys.items():
            since = key.suspect_from
            if since is not None:
                suspect = {index for index in self._integrity.signed.get(key_id, ()) if index >= since}
                suspect -= self._reaffirmed()
                if suspect:
                    found = counted(len(suspect), "statement", "statements")
                    detail = f"{found} by {key_id} since the compromise at {since}"
                    self._report(finding("SUSPECT", detail, index=since))
        self._erasures()
        one_sided = one_sided_persons(authority)
        if one_sided:
            persons = counted(len(one_sided), "person", "persons")
            detail = f"{persons}, all of whose keys one organisation endorsed"
            self._report(finding("ONE_SIDED_IDENTITY", detail))
        if self._randomization.allocations:
            detail = "nothing in the log shows that allocations are kept from the operator"
            self._report(finding("OPERATOR_UNBLINDED", detail))

    def _index(self, event: str) -> int | None:
        return self._integrity.events.get(bytes.fromhex(event))

    def _reaffirmed(self) -> set[int | None]:
        return {self._index(event) for event in self._conduct.people.reaffirmed}

    def _erasures(self) -> None:
        """Say what was erased on whose approvals, and which backups still hold it (§7)."""
        people, size = self._conduct.people, self._checkpoint.size
        for erasure in people.erasures:
            if erasure.index < 0:
                continue  # said where the older epoch is verified
            index = self._index(erasure.statement)
            by = " and ".join(erasure.approved_by)
            detail = f"{len(erasure.digests)} sealed values of index {index}, approved by {by}"
            self._report(finding("ERASED", detail, index=erasure.index))
            for _, backup in people.backups_between(index or 0, erasure.index, size):
                detail = f"backup {backup.backup} of size {backup.size} may hold what was erased"
                self._report(finding("ERASURE_PENDING", detail, index=erasure.index))
