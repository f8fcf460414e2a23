"""Verify across epochs: that a log continues exactly the older one that the auditor gives (§6, "Epochs").

    leaf 0 continues?   → no older bundle: EPOCH_MISSING, and conduct is not judged
    the older bundle    → verified by itself, pinned by the ledger id that leaf 0 names
    the relation        → ledger id and origin, root at the size, root keys of then, no log key again
    another log beside  → two that continue the same (`beside`)

Conduct of the newer log then begins where that of the older one ended at the size (`ledger.earlier`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ledger.authority import INITIAL, Authority
from ledger.authority import evolve as evolve_authority
from ledger.checkpoint import Checkpoint, check_published
from ledger.earlier import LISTS, NONE, Earlier, NoneBefore, next_origin, shifted
from ledger.entry import Entry
from ledger.errors import FormatError, LedgerError
from ledger.lines import encode_base64
from ledger.merkle import Frontier, leaf_hash
from ledger.note import MAX_NOTE_BYTES, parse_vkey
from ledger.statement import Statement
from ledger.verify.beside import Judged, by_root, first_of, judge_beside, nowhere, said_of
from ledger.verify.bundle import Bundle, open_bundle
from ledger.verify.files import AttachmentsJudge
from ledger.verify.findings import Verdict, finding
from ledger.verify.form import ParsedEntry
from ledger.verify.options import Options, Scope
from ledger.verify.reader import BundleReader
from ledger.verify.report import HOLDS, Report
from ledger.verify.tables import KeyTable
from ledger.verify.tree import TILE_WIDTH, Reporter, Roots, read_leaves

NOTE_NAME: Final = "checkpoint"

Verify = Callable[[Path, Options], Report]
"""Judges one bundle by itself."""


class NotGiven(NoneBefore):
    """An older epoch that nobody gave, or that does not hold: any event may stand there."""

    def index_of(self, event: str) -> int | None:
        """Return an index below 0: what is named may be there."""
        return -1


NOT_GIVEN: Final[Earlier] = NotGiven()


class EarlierBundle:
    """The older log's bundle as the newer log's judges read it: what stands before `size`."""

    def __init__(
        self, bundle: Bundle, whole: int, size: int, refused: frozenset[int], before: Earlier
    ) -> None:
        """Begin; `whole` is the bundle's own size, `refused` what changes no fold there."""
        self._bundle = bundle
        self._whole = whole
        self._size = size
        self._refused = refused
        self._before = before
        self._lists: list[Entry] = []
        self._events = KeyTable(32)
        attachments = AttachmentsJudge(bundle, nowhere)
        self._reader = BundleReader(bundle, whole, self._events, attachments, before)

    def own(self, size: int | None = None) -> Iterator[Entry]:
        """Yield the older log's own entries that count, below a size, at their own indexes."""
        for index in range(self._size if size is None else min(size, self._whole)):
            entry = self._reader.entry_at(index)
            if entry is not None and index not in self._refused:
                yield entry

    def authority(self, size: int | None = None) -> Authority:
        """Return the older log's authority at a size, by default at the one that is continued."""
        authority = INITIAL
        for entry in self.own(size):
            authority = evolve_authority(authority, entry)
        return authority

    def entries(self) -> Iterator[Entry]:
        """Yield every entry that counts, those of still older epochs first; asked once."""
        for entry in self._before.entries():
            yield shifted(entry, self._size)
        self._lists = [shifted(entry, self._size) for entry in self._before.lists()]
        for entry in self.own():
            self._events.add(bytes.fromhex(entry.event), entry.index)
            self._reader.add(entry)
            if entry.statement is not None and entry.statement.type in LISTS:
                self._lists.append(shifted(entry, self._size))
            yield shifted(entry, self._size)

    def lists(self) -> Sequence[Entry]:
        """Return what was said of randomization, in order; whole once `entries` was."""
        return self._lists

    def entries_of(self, stream: str) -> Sequence[Entry]:
        """Return a stream's entries in order."""
        return [shifted(entry, self._size) for entry in self._reader.entries_of(stream)]

    def index_of(self, event: str) -> int | None:
        """Return the index of an event, below 0."""
        index = self._reader.index_of(event)
        return None if index is None else index - self._size

    def entry_at(self, index: int) -> Entry | None:
        """Return the entry of an index below 0."""
        entry = self._reader.entry_at(index + self._size)
        return None if entry is None else shifted(entry, self._size)

    def attachment(self, sha256: str) -> bytes | None:
        """Return an attachment's bytes."""
        return self._reader.attachment(sha256)

    def close(self) -> None:
        """Close this bundle and those of still older epochs."""
        self._bundle.close()
        self._before.close()


def link(
    bundle: Bundle,
    checkpoint: Checkpoint,
    roots: Roots | None,
    options: Options,
    verify: Verify,
    report: Reporter,
) -> Earlier:
    """Judge what a bundle continues, and what lies beside it, where its roots are known.

    Return what its conduct goes on from, to be closed by the caller.
    """
    first = first_of(bundle, checkpoint.size)
    earlier = _link(first, checkpoint, options, verify, report)
    if roots is not None:
        judged = Judged(checkpoint=checkpoint, roots=roots, first=first)
        older = earlier.authority if isinstance(earlier, EarlierBundle) else None
        for path in options.beside:
            judge_beside(path, judged, older, options, report)
    return earlier


def _link(
    first: ParsedEntry | None, checkpoint: Checkpoint, options: Options, verify: Verify, report: Reporter
) -> Earlier:
    """Judge what leaf 0 continues."""
    opening = None if first is None else first.statement
    said = None if opening is None else said_of(opening)
    if said is None or opening is None:
        if options.continues:
            report(finding("EPOCH_LEDGER", "leaf 0 continues no other log", index=0))
        return NONE
    if not options.continues:
        report(finding("EPOCH_MISSING", f"{said['size']} entries of an older log are not given", index=0))
        return NOT_GIVEN
    with ExitStack() as opened:
        try:
            older = open_bundle(options.continues[0])
            opened.callback(older.close)
            note = older.read(NOTE_NAME, max_bytes=MAX_NOTE_BYTES)
            was = check_published(note, options.policy.log_keys, classical=options.classical)
        except LedgerError as error:
            report(finding("EPOCH_OLD", error.message))
            return NOT_GIVEN
        relation = _Relation(opening, said, options, verify, report)
        found = relation.judge(older, was, checkpoint)
        if found is not None:
            opened.pop_all()
        return found or NOT_GIVEN


class _Relation:
    """What leaf 0 says of the older log, and whether that is so."""

    def __init__(
        self,
        opening: Statement,
        said: Mapping[str, Any],
        options: Options,
        verify: Verify,
        report: Reporter,
    ) -> None:
        self._opening = opening
        self._said = said
        self._options = options
        self._verify = verify
        self._report = report

    def judge(self, older: Bundle, was: Checkpoint, checkpoint: Checkpoint) -> Earlier | None:
        """Judge ledger id, origin, root, the older bundle itself, and who signed; None where one fails."""
        said, first = self._said, first_of(older, was.size)
        if first is None or leaf_hash(_leaf(older, was.size)).hex() != said["ledger_id"]:
            return self._bad("EPOCH_LEDGER", "the older bundle has another ledger id than leaf 0 names")
        if said["origin"] != was.origin or checkpoint.origin != next_origin(was.origin):
            return self._bad("EPOCH_LEDGER", "expected the origin of the epoch that follows the older one")
        size = said["size"]
        if size > was.size or encode_base64(_root_at(older, was.size, size)) != said["root"]:
            return self._bad("EPOCH_ROOT", f"the older log does not have that root at {size} entries")
        options = replace(
            self._options,
            policy=replace(self._options.policy, ledger_id=None),
            ledger_id=said["ledger_id"],
            scope=Scope(kind="study"),
            previous=None,
            outbox=None,
            tsa=None,
            continues=self._options.continues[1:],
            beside=(),
        )
        report = self._verify(self._options.continues[0], options)
        if not all(report.verdict(each) == HOLDS for each in (Verdict.INTEGRITY, Verdict.COMPLETENESS)):
            codes = ", ".join(sorted({each.code for each in report.problems}))
            return self._bad("EPOCH_OLD", f"the older bundle does not verify: {codes}")
        if report.verdict(Verdict.CONDUCT) != HOLDS:
            codes = ", ".join(sorted({each.code for each in report.problems}))
            self._bad("EPOCH_CONDUCT", f"of the older epoch: {codes}")
        refused = [each.index for each in report.problems if each.code == "REFUSABLE"]
        before = link(older, was, None, options, self._verify, nowhere)
        found = EarlierBundle(older, was.size, size, frozenset(n for n in refused if n is not None), before)
        if not self._is_signed(found.authority(), first):
            before.close()
            return None
        if was.size > size:
            self._report(finding("EPOCH_VOID", f"{was.size - size} statements of the older log are void"))
        return found

    def _is_signed(self, authority: Authority, first: ParsedEntry) -> bool:
        """Judge who signed leaf 0, and its log keys."""
        if not by_root(authority, self._opening):
            self._bad("EPOCH_SIGNERS", f"expected {authority.threshold} root persons of the older log")
            return False
        old = {parse_vkey(key).public for key in authority.log_keys}
        if old & {parse_vkey(key).public for key in self._opening.data["log_keys"]}:
            self._bad("EPOCH_KEYS", "a log key of the older log is used again")
        return True

    def _bad(self, code: str, detail: str) -> Earlier | None:
        """Report what speaks against leaf 0; return that nothing goes on from there."""
        self._report(finding(code, detail, index=0))
        return None


def _leaf(bundle: Bundle, size: int) -> bytes:
    return read_leaves(bundle, 0, min(TILE_WIDTH, size))[0]


def _root_at(bundle: Bundle, whole: int, size: int) -> bytes:
    """Return the root of the first leaves; an empty one where they can't be read."""
    frontier = Frontier()
    for number in range(-(-size // TILE_WIDTH)):
        start = number * TILE_WIDTH
        try:
            leaves = read_leaves(bundle, number, min(TILE_WIDTH, whole - start))
        except FormatError:
            return b""
        for leaf in leaves[: size - start]:
            frontier.append(leaf_hash(leaf))
    return frontier.root()
