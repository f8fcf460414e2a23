"""Judge one bundle in the order of record-format.md §10, and collect every finding on the way.

    ledger id and policy → note bytes → log signatures → quorum → stamp → leaves hash to root, all tiles
    → each entry: leaf, statement, labels, seq and prev, `seen`, fold and signature set, disclosures,
      withheld, rules, randomization → what can be said only at the end

Nothing after the note is read until the signatures of the log hold.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ledger.actions.registry import parse_action
from ledger.authority import Authority
from ledger.checkpoint import Checkpoint, check_head, check_published
from ledger.errors import FormatError, LedgerError
from ledger.merkle import leaf_hash
from ledger.note import COSIGNATURE_ML_DSA_44, MAX_NOTE_BYTES, format_vkey
from ledger.policy import TrustPolicy, check_quorum
from ledger.statement import Statement
from ledger.verify.bundle import Bundle, open_bundle
from ledger.verify.completeness import CompletenessJudge, scopes_of
from ledger.verify.conduct import ConductJudge
from ledger.verify.files import STAMP, AttachmentsJudge, check_forks, check_names, check_proofs
from ledger.verify.findings import Finding, finding
from ledger.verify.integrity import IntegrityJudge, JudgedEntry, ParsedEntry, parse_entry, read_payloads
from ledger.verify.options import Options
from ledger.verify.outbox import check_outbox
from ledger.verify.randomization import RandomizationJudge
from ledger.verify.reader import BundleReader
from ledger.verify.report import Report
from ledger.verify.sidecars import read_scope, read_streams
from ledger.verify.tree import TILE_WIDTH, Reporter, Roots, check_tree, chunks, read_leaves

NOTE_NAME: Final = "checkpoint"
_NOTE_CODES: Final = ("NOTE", "CHECKPOINT")
_CHANGES: Final = ("correction.made", "correction.proposed")


def verify(path: Path, options: Options) -> Report:
    """Verify the bundle at a path; never raises for what is in it."""
    run = _Run(options)
    try:
        bundle = open_bundle(path)
    except FormatError as error:
        run.report(finding(error.code, error.message, file=error.field))
        return run.finish(complete=False)
    try:
        return run.judge(bundle)
    except Exception as error:  # the edge: hostile input gets a verdict, never a traceback, and never a pass
        run.report(finding("UNJUDGED", f"the verifier failed with {type(error).__name__}"))
        return run.finish(complete=False)
    finally:
        bundle.close()


class _Run:
    """One verification: what was found, stated and counted so far."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._findings: list[Finding] = []
        self._facts: dict[str, str | int] = {}
        self._counts: dict[str, int] = {}
        self._ledger_id = options.ledger_id or options.policy.ledger_id

    def report(self, found: Finding) -> None:
        """Collect a finding, each once."""
        self._findings.append(found)

    def finish(self, *, complete: bool) -> Report:
        """Close the verdicts."""
        if self._ledger_id is None:
            self.report(finding("UNPINNED", "no ledger id was given"))
        return Report(
            findings=tuple(dict.fromkeys(self._findings)),
            complete=complete,
            pinned=self._ledger_id is not None,
            strict_conduct=self._options.strict_conduct,
            facts=self._facts,
            counts=self._counts,
        )

    def judge(self, bundle: Bundle) -> Report:
        """Go through the steps of §10."""
        try:
            note = bundle.read(NOTE_NAME, max_bytes=MAX_NOTE_BYTES)
        except FormatError as error:
            self.report(finding(error.code, error.message, file=NOTE_NAME))
            return self.finish(complete=False)
        checkpoint = self._note(note)
        if checkpoint is None:
            return self.finish(complete=False)
        self._facts.update(
            origin=checkpoint.origin,
            size=checkpoint.size,
            root=base64.b64encode(checkpoint.root).decode(),
            ledger_id=self._ledger_id or "not given",
            scope=str(self._options.scope),
            role=self._options.role,
        )
        bundles = -(-checkpoint.size // TILE_WIDTH)
        if bundles > len(bundle.names()):  # before anything is done for each leaf of a claimed size
            detail = f"expected {bundles} entry bundles, the whole bundle has fewer files"
            self.report(finding("FILE_MISSING", detail, file="tile/entries"))
            return self.finish(complete=False)
        self._stamp(bundle, note)
        check_names(bundle, checkpoint.size, self.report)
        roots = check_tree(bundle, checkpoint, self.report)
        self._pin(bundle, checkpoint)
        self._previous(checkpoint, roots)
        check_proofs(bundle, checkpoint, note, roots, self.report)
        check_forks(bundle, self._options.policy.log_keys, roots, self.report)
        self._scope(bundle, checkpoint.size)
        with _executor(self._options.workers) as pool:
            _Walk(bundle, checkpoint, roots, self._options, pool, self.report).run(self._counts)
        return self.finish(complete=True)

    def _note(self, note: bytes) -> Checkpoint | None:
        """Check signatures of the log, then the quorum; None where nothing further may be read."""
        options = self._options
        try:
            checkpoint = check_published(note, options.policy.log_keys, classical=options.classical)
        except LedgerError as error:
            code = "NOTE" if error.code in _NOTE_CODES else "LOG_SIGNATURE"
            self.report(finding(code, error.message, file=NOTE_NAME))
            return None
        if options.classical:
            self.report(finding("CLASSICAL", "the log's ML-DSA-44 line was not asked for", file=NOTE_NAME))
        try:
            check_quorum(note, _counted(options))
        except LedgerError as error:
            code = "QUORUM" if error.code == "QUORUM" else "LOG_SIGNATURE"
            self.report(finding(code, error.message, file=NOTE_NAME))
        if options.policy.quorum is None:
            self.report(finding("NO_QUORUM", "the policy asks for no witness", file=NOTE_NAME))
        return checkpoint

    def _stamp(self, bundle: Bundle, note: bytes) -> None:
        """Judge the time stamp, where the auditor gave an authority to judge it by (§5)."""
        anchor, is_there = self._options.tsa, STAMP in bundle.names()
        if anchor is None or not is_there:
            if is_there:
                self.report(finding("STAMP_UNJUDGED", "no authority was given", file=STAMP))
            elif anchor is not None:
                self.report(finding("STAMP_MISSING", "no time stamp was made", file=STAMP))
            return
        from ledger.stamping.rfc3161 import (
            MAX_RESPONSE_BYTES,
            check_stamp,
            read_anchor,
        )  # a library that others don't need

        try:
            response = bundle.read(STAMP, max_bytes=MAX_RESPONSE_BYTES)
            self._facts["stamped_at"] = check_stamp(response, note, read_anchor(anchor))
        except LedgerError as error:
            code = "ZIP_FORM" if error.code == "ZIP_FORM" else "STAMP"
            self.report(finding(code, error.message, file=STAMP))

    def _pin(self, bundle: Bundle, checkpoint: Checkpoint) -> None:
        if checkpoint.size == 0:
            self.report(finding("LEDGER_ID", "the log is empty, so it has no leaf 0"))
            return
        try:
            first = read_leaves(bundle, 0, min(TILE_WIDTH, checkpoint.size))[0]
        except FormatError:
            return  # reported by the tree
        if self._ledger_id is not None and leaf_hash(first).hex() != self._ledger_id:
            self.report(finding("LEDGER_ID", "leaf 0 has another hash than the ledger id", index=0))

    def _previous(self, checkpoint: Checkpoint, roots: Roots) -> None:
        note = self._options.previous
        if note is None:
            return
        try:
            previous = check_head(note, self._options.policy.log_keys)
        except LedgerError as error:
            self.report(finding("PREVIOUS", error.message))
            return
        if previous.origin != checkpoint.origin or previous.size > checkpoint.size:
            self.report(finding("PREVIOUS", "the earlier checkpoint is of another log, or of a larger one"))
        elif roots.at(previous.size) != previous.root:
            self.report(finding("PREVIOUS", "this log had another root at that size: its past was changed"))

    def _scope(self, bundle: Bundle, size: int) -> None:
        try:
            scope, role, stated = read_scope(bundle)
        except FormatError as error:
            self.report(finding(error.code, error.message, file="scope.json"))
            return
        options = self._options
        if (scope, role) != (options.scope, options.role):
            detail = f"the bundle says {scope} for {role}, stated was {options.scope} for {options.role}"
            self.report(finding("SCOPE_MISMATCH", detail, file="scope.json"))
        if stated != size:
            self.report(finding("SCOPE_MISMATCH", f"expected size {size}, got {stated}", file="scope.json"))


def _counted(options: Options) -> TrustPolicy:
    """Return the policy with the witnesses that count: under --post-quantum those with ML-DSA-44 keys."""
    policy = options.policy
    if not options.post_quantum:
        return policy
    return TrustPolicy(
        ledger_id=policy.ledger_id,
        log_keys=policy.log_keys,
        witnesses=tuple(each for each in policy.witnesses if each.key.algorithm == COSIGNATURE_ML_DSA_44),
        groups=policy.groups,
        quorum=policy.quorum,
    )


@contextmanager
def _executor(workers: int) -> Iterator[Executor | None]:
    if workers < 2:
        yield None
        return
    with ThreadPoolExecutor(max_workers=workers) as pool:
        yield pool


class _Walk:
    """The second pass: every entry, in index order."""

    def __init__(
        self,
        bundle: Bundle,
        checkpoint: Checkpoint,
        roots: Roots,
        options: Options,
        pool: Executor | None,
        report: Reporter,
    ) -> None:
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
        self._integrity = IntegrityJudge(checkpoint.origin, roots, report, pool, options.workers)
        self._completeness = CompletenessJudge(bundle, options.scope, options.role, tags, report)
        self._reader = BundleReader(bundle, checkpoint.size, self._integrity.events, self._attachments)
        self._conduct = ConductJudge(self._reader, report)
        self._randomization = RandomizationJudge(checkpoint.origin, roots, report)

    def run(self, counts: dict[str, int]) -> None:
        for number, width in chunks(self._checkpoint.size):
            parsed = self._parse(number, width)
            self._integrity.look_ahead([each for each in parsed if each is not None])
            for index, each in enumerate(parsed, start=number * TILE_WIDTH):
                if each is None:
                    self._integrity.skip(index)
                else:
                    self._entry(each)
        self._completeness.finish(self._checkpoint.size)
        self._attachments.finish()
        self._conduct.finish()
        self._randomization.finish()
        check_outbox(self._options, self._checkpoint, self._roots, self._integrity.events, self._report)
        self._count(counts)

    def _parse(self, number: int, width: int) -> list[ParsedEntry | None]:
        try:
            leaves = read_leaves(self._bundle, number, width)
        except FormatError:
            return [None] * width  # reported by the tree
        payloads = read_payloads(self._bundle, number, width, self._report)
        parsed: list[ParsedEntry | None] = []
        for at, (leaf, payload) in enumerate(zip(leaves, payloads, strict=True)):
            index = number * TILE_WIDTH + at
            try:
                parsed.append(parse_entry(index, leaf, payload))
            except LedgerError as error:
                self._report(finding("LEAF", error.message, index=index))
                parsed.append(None)
        return parsed

    def _entry(self, parsed: ParsedEntry) -> None:
        judged = self._integrity.judge(parsed)
        statement = parsed.statement
        before = self._integrity.authority
        opened = self._completeness.judge(parsed, self._scopes(judged))
        if statement is not None and judged.action is not None:
            self._attachments.judge(parsed.index, statement)
            if parsed.index == 0:
                self._genesis(statement.data.get("log_keys"))
        formed = opened and judged.action is not None and statement is not None
        if formed and statement is not None and self._has_form(parsed.index, statement, opened):
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

    def _has_form(self, index: int, statement: Statement, opened: Mapping[str, object]) -> bool:
        """Tell whether opened values have the form that their type gives them."""
        try:
            parse_action(statement, opened)
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
            target = self._integrity.events.get(bytes.fromhex(statement.data["statement"]))
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
                    detail = f"{len(suspect)} statements by {key_id} since the compromise at {since}"
                    self._report(finding("SUSPECT", detail, index=since))
        self._erasures()
        one_sided = _one_sided(authority)
        if one_sided:
            detail = f"{len(one_sided)} persons, all of whose keys one organisation endorsed"
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
            index = self._index(erasure.statement)
            by = " and ".join(erasure.approved_by)
            detail = f"{len(erasure.digests)} sealed values of index {index}, approved by {by}"
            self._report(finding("ERASED", detail, index=erasure.index))
            for _, backup in people.backups_between(index or 0, erasure.index, size):
                detail = f"backup {backup.backup} of size {backup.size} may hold what was erased"
                self._report(finding("ERASURE_PENDING", detail, index=erasure.index))


def _one_sided(authority: Authority) -> set[str]:
    """Return the persons all of whose keys one organisation endorsed, and no earlier key of theirs."""
    endorsers: dict[str, set[str]] = {}
    for key in authority.keys.values():
        if key.endorsed_by is not None and key.person in authority.persons:
            sources = endorsers.setdefault(key.person, set())
            sources.add(key.endorsed_by)
            if key.confirmed_at is not None:
                sources.add("the holder")
    return {person for person, sources in endorsers.items() if len(sources) == 1}
