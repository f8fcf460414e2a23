"""Verify across epochs: that a log continues exactly the older one that the auditor gives (§6, "Epochs").

    leaf 0 continues?   → no older bundle: EPOCH_MISSING, and conduct is not judged
    the older bundle    → verified by itself, pinned by the ledger id that leaf 0 names
    the relation        → ledger id and origin, root at the size, root keys of then, no log key again
    another log beside  → two that continue the same

Conduct of the newer log then begins where that of the older one ended at the size (`ledger.earlier`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ledger.actions.registry import parse_action
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
from ledger.verify.bundle import Bundle, open_bundle
from ledger.verify.files import AttachmentsJudge
from ledger.verify.findings import Finding, Verdict, finding
from ledger.verify.form import ParsedEntry, check_set, parse_entry, read_payloads
from ledger.verify.options import Options, Scope
from ledger.verify.reader import BundleReader
from ledger.verify.report import HOLDS, Report
from ledger.verify.tables import KeyTable
from ledger.verify.tree import TILE_WIDTH, Reporter, read_leaves

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
        self._size = size
        self._refused = refused
        self._before = before
        self._lists: list[Entry] = []
        self._events = KeyTable(32)
        attachments = AttachmentsJudge(bundle, _nowhere)
        self._reader = BundleReader(bundle, whole, self._events, attachments, before)

    def own(self) -> Iterator[Entry]:
        """Yield the older log's own entries that count, at their own indexes."""
        for index in range(self._size):
            entry = self._reader.entry_at(index)
            if entry is not None and index not in self._refused:
                yield entry

    def authority(self) -> Authority:
        """Return the older log's authority at `size`."""
        authority = INITIAL
        for entry in self.own():
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
    bundle: Bundle, checkpoint: Checkpoint, options: Options, verify: Verify, report: Reporter
) -> Earlier:
    """Judge what a bundle continues; return what its conduct goes on from, to be closed by the caller."""
    first = _first(bundle, checkpoint.size)
    opening = None if first is None else first.statement
    said = None if opening is None else _continues(opening)
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
        said, first = self._said, _first(older, was.size)
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
        before = link(older, was, options, self._verify, _nowhere)
        found = EarlierBundle(older, was.size, size, frozenset(n for n in refused if n is not None), before)
        if not self._is_signed(found.authority(), first):
            before.close()
            return None
        if was.size > size:
            self._report(finding("EPOCH_VOID", f"{was.size - size} statements of the older log are void"))
        return found

    def _is_signed(self, authority: Authority, first: ParsedEntry) -> bool:
        """Judge who signed leaf 0, its log keys, and every log beside it that claims the same."""
        if not _by_root(authority, self._opening):
            self._bad("EPOCH_SIGNERS", f"expected {authority.threshold} root persons of the older log")
            return False
        old = {parse_vkey(key).public for key in authority.log_keys}
        if old & {parse_vkey(key).public for key in self._opening.data["log_keys"]}:
            self._bad("EPOCH_KEYS", "a log key of the older log is used again")
        for path in self._options.beside:
            if _is_rival(path, self._opening, self._said, authority):
                self._bad("EPOCH_TWICE", f"{path.name} continues the same log, signed by its root keys")
        return True

    def _bad(self, code: str, detail: str) -> Earlier | None:
        """Report what speaks against leaf 0; return that nothing goes on from there."""
        self._report(finding(code, detail, index=0))
        return None


def _nowhere(_: Finding) -> None:
    """Report nothing: it was reported before."""


def _by_root(authority: Authority, opening: Statement) -> bool:
    """Tell whether as many root persons signed as the threshold asks for; signatures are judged apart."""
    keys = {ref.id for ref in (opening.key, *opening.with_)} & authority.root_key_ids
    live = [authority.keys[key] for key in keys if authority.keys[key].until is None]
    return len({key.person for key in live}) >= authority.threshold


def _is_rival(path: Path, opening: Statement, said: Mapping[str, Any], authority: Authority) -> bool:
    """Tell whether a bundle's leaf 0 is another one that continues the same log by its root keys."""
    try:
        other = open_bundle(path)
    except FormatError:
        return False
    try:
        first = _first(other, 1)
    finally:
        other.close()
    statement = None if first is None else first.statement
    claimed = None if statement is None else _continues(statement)
    if first is None or statement is None or claimed is None or statement.event == opening.event:
        return False
    signed = check_set(INITIAL, statement, first.leaf) is None and _by_root(authority, statement)
    return signed and claimed["ledger_id"] == said["ledger_id"]


def _continues(opening: Statement) -> Mapping[str, Any] | None:
    """Return what an opening continues; None for any other statement, or one that has no form."""
    if opening.type != "ledger.opened":
        return None
    try:
        parse_action(opening)
    except LedgerError:
        return None  # reported where the entry is judged
    said: Mapping[str, Any] | None = opening.data.get("continues")
    return said


def _leaf(bundle: Bundle, size: int) -> bytes:
    return read_leaves(bundle, 0, min(TILE_WIDTH, size))[0]


def _first(bundle: Bundle, size: int) -> ParsedEntry | None:
    """Return the first entry; None where it can't be read, which is reported elsewhere.

    Of several first entry bundles any that can be read will do: a stray one hides no opening.
    """
    found: ParsedEntry | None = None
    for width in (*_first_widths(bundle), min(TILE_WIDTH, size)):
        try:
            leaf = read_leaves(bundle, 0, width)[0]
            found = parse_entry(0, leaf, read_payloads(bundle, 0, width, _nowhere)[0])
        except (LedgerError, IndexError):
            continue
        if found.statement is not None:
            return found
    return found


def _first_widths(bundle: Bundle) -> Iterator[int]:
    """Yield the widths of the first entry bundle as its names have them."""
    for name in bundle.names():
        if name == "tile/entries/000":
            yield TILE_WIDTH
        if name.startswith("tile/entries/000.p/") and name[19:].isdigit() and len(name) < 23:
            yield int(name[19:])


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
