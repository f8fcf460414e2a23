"""Judge one bundle in the order of record-format.md §10, and collect every finding on the way.

    ledger id and policy → note bytes → log signatures → quorum → stamp → leaves hash to root, all tiles
    → each entry: leaf, statement, labels, seq and prev, `seen`, fold and signature set, disclosures,
      withheld, rules, randomization → what can be said only at the end

Nothing after the note is read until the signatures of the log hold.
"""

from __future__ import annotations

import base64
from contextlib import closing
from pathlib import Path
from typing import Final

from ledger.checkpoint import Checkpoint, check_head, check_published
from ledger.errors import FormatError, LedgerError
from ledger.merkle import leaf_hash
from ledger.note import COSIGNATURE_ML_DSA_44, MAX_NOTE_BYTES
from ledger.policy import TrustPolicy, check_quorum
from ledger.verify.brackets import Brackets, TimesError, witnessed_at
from ledger.verify.bundle import Bundle, open_bundle
from ledger.verify.epochs import link
from ledger.verify.files import STAMP, check_forks, check_names, check_proofs
from ledger.verify.findings import Finding, finding
from ledger.verify.identity import Row
from ledger.verify.options import Options
from ledger.verify.report import Report
from ledger.verify.sidecars import read_scope
from ledger.verify.tree import TILE_WIDTH, Roots, check_tree, read_leaves
from ledger.verify.walk import Progress, Walk
from ledger.verify.workers import examiner

NOTE_NAME: Final = "checkpoint"
_NOTE_CODES: Final = ("NOTE", "CHECKPOINT")


def _silent(done: int, size: int) -> None:
    """Tell nobody."""


def verify(path: Path, options: Options, progress: Progress = _silent) -> Report:
    """Verify the bundle at a path; never raises for what is in it.

    Raises:
        TimesError: the file for the times can't be written.
    """
    run = _Run(options, progress)
    try:
        bundle = open_bundle(path)
    except FormatError as error:
        run.report(finding(error.code, error.message, file=error.field))
        return run.finish(complete=False)
    try:
        return run.judge(bundle)
    except TimesError:
        raise
    except Exception as error:  # the edge: hostile input gets a verdict, never a traceback, and never a pass
        run.report(finding("UNJUDGED", f"the verifier failed with {type(error).__name__}"))
        return run.finish(complete=False)
    finally:
        bundle.close()


class _Run:
    """One verification: what was found, stated and counted so far."""

    def __init__(self, options: Options, progress: Progress) -> None:
        self._options = options
        self._progress = progress
        self._findings: list[Finding] = []
        self._facts: dict[str, str | int] = {}
        self._counts: dict[str, int] = {}
        self._identity: tuple[Row, ...] = ()
        self._ledger_id = options.ledger_id or options.policy.ledger_id
        self._witnessed: str | None = None

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
            identity=self._identity,
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
        if self._witnessed is not None:
            self._facts["witnessed_at"] = self._witnessed
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
        with closing(link(bundle, checkpoint, roots, self._options, verify, self.report)) as earlier:
            walk = Walk(bundle, checkpoint, roots, self._options, self.report, earlier)
            with (
                examiner(self._options.workers) as examine,
                closing(Brackets(self._options.times, self._witnessed)) as brackets,
            ):
                walk.run(examine, self._progress, brackets)
            walk.finish(self._counts)
            self._identity = walk.identity()
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
            self._witnessed = witnessed_at(note, _counted(options))
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
            stamped = check_stamp(response, note, read_anchor(anchor))
            self._facts["stamped_at"] = stamped
            self._witnessed = min(stamped, self._witnessed or stamped)
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
            self.report(finding("PREVIOUS", f"the earlier checkpoint does not stand: {error.message}"))
            return
        if previous.origin != checkpoint.origin:
            self.report(finding("PREVIOUS", f"the earlier checkpoint is of another log: {previous.origin}"))
        elif previous.size > checkpoint.size:
            sizes = f"{previous.size:,} events, this log {checkpoint.size:,}"
            detail = f"the earlier checkpoint is of {sizes}: this export is older, or its end was cut off"
            self.report(finding("PREVIOUS", detail))
        elif roots.at(previous.size) != previous.root:
            detail = f"this log had another root at {previous.size:,} events: its past was changed"
            self.report(finding("PREVIOUS", detail))
        else:
            self._facts["previous"] = f"of {previous.size:,} events, and this log goes on from it"

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
