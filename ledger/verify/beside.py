"""Judge what the auditor lays beside the judged bundle: each counts, or is dismissed by its name (§6).

    counts        any opening in it by root keys of the older log that continues the same   → EPOCH_TWICE
                  a checkpoint of this very log over other entries                          → FORK
    is dismissed  it stands as a log by itself, and its leaf 0 is no such opening   → EPOCH_APART, a note
    neither       it does not stand, or the older log to judge it by is not known   → EPOCH_BESIDE

What counts is evidence by its own signatures, whatever lies around it. To be dismissed a bundle has to
stand: its names are those of its size, its leaves hash to a checkpoint that is signed by the log keys of
leaf 0, and leaf 0 is an opening that is signed as it says. Else a decoy before the true first leaf, or the
true one withheld, would hide a rival. Its other entries are not judged: nothing here goes on from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledger.actions.registry import parse_action
from ledger.authority import INITIAL, Authority
from ledger.checkpoint import Checkpoint, check_head, check_published
from ledger.errors import FormatError, LedgerError
from ledger.note import MAX_NOTE_BYTES, parse_vkey
from ledger.statement import Statement
from ledger.tiles import decode_entries
from ledger.verify.bundle import Bundle, open_bundle
from ledger.verify.files import check_names
from ledger.verify.findings import Finding, finding
from ledger.verify.form import MAX_PAYLOADS_BYTES, ParsedEntry, check_set, parse_entry, read_payloads
from ledger.verify.options import Options
from ledger.verify.tree import MAX_ENTRIES_BYTES, TILE_WIDTH, Reporter, Roots, check_tree, read_leaves

NOTE_NAME: Final = "checkpoint"

AuthorityAt = Callable[[int], Authority]
"""The authority of the older log at a size of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The log beside which others lie: its checkpoint, roots, and first entry where that can be read."""

    checkpoint: Checkpoint
    roots: Roots
    first: ParsedEntry | None

    @property
    def continues(self) -> Mapping[str, Any] | None:
        """What its leaf 0 continues."""
        return None if self.first is None or self.first.statement is None else said_of(self.first.statement)


def judge_beside(
    path: Path, judged: Judged, older: AuthorityAt | None, options: Options, report: Reporter
) -> None:
    """Report exactly one finding or note for a bundle that lies beside.

    `older` is the log that the judged one continues; None where that was not given or does not hold.
    """
    try:
        with closing(open_bundle(path)) as bundle:
            report(_Beside(path, bundle, judged, older, options).finding())
    except LedgerError as error:
        report(finding("EPOCH_BESIDE", f"{path.name} can't be judged: {error.message}"))


class _Beside:
    """One bundle beside the judged one."""

    def __init__(
        self, path: Path, bundle: Bundle, judged: Judged, older: AuthorityAt | None, options: Options
    ) -> None:
        self._name = path.name
        self._bundle = bundle
        self._judged = judged
        self._older = older
        self._options = options

    def finding(self) -> Finding:
        """Say what the bundle is.

        Raises:
            LedgerError: it does not stand as a log by itself, so that nothing can be said.
        """
        said = self._judged.continues
        if said is not None and any(self._is_rival(each, said) for each in first_entries(self._bundle)):
            detail = f"{self._name} continues the same log, signed by its root keys"
            return finding("EPOCH_TWICE", detail, index=0)
        size = self._forked_at()
        if size is not None:
            return finding("FORK", f"{self._name} has other entries of this log", index=size - 1)
        first, roots = self._standing()
        if self._judged.first is not None and first.event == _event(self._judged.first):
            return self._same(roots)
        claimed = said_of(first)
        if said is not None and claimed is not None and claimed["ledger_id"] == said["ledger_id"]:
            if self._older is None:
                raise FormatError("EPOCH_MISSING", "it continues the same log, whose root keys are not known")
            return self._apart("continues the same log, but not by its root keys: it counts for nothing")
        return self._apart("continues no other log" if claimed is None else "continues another log")

    def _is_rival(self, first: ParsedEntry, said: Mapping[str, Any]) -> bool:
        """Tell whether an entry is another opening that continues the same log by its root keys.

        Those of the size that either continues: a rival may leave out the change of root keys that the judged
        log follows, or the other way round.
        """
        older, statement = self._older, first.statement
        claimed = None if statement is None else said_of(statement)
        if older is None or statement is None or claimed is None:
            return False
        if claimed["ledger_id"] != said["ledger_id"] or statement.event == _event(self._judged.first):
            return False
        if check_set(INITIAL, statement, first.leaf) is not None:
            return False
        return any(by_root(older(size), statement) for size in {said["size"], claimed["size"]})

    def _forked_at(self) -> int | None:
        """Return the size at which the judged log signed a checkpoint of another tree."""
        try:
            other = check_head(self._note(), self._options.policy.log_keys)
        except LedgerError:
            return None
        mine, roots = self._judged.checkpoint, self._judged.roots
        if roots.at(mine.size) != mine.root or other.origin != mine.origin or other.size > mine.size:
            return None
        return other.size if roots.at(other.size) != other.root else None

    def _same(self, roots: Roots) -> Finding:
        """Say whether what begins with the same leaf 0 is the same log at another size."""
        mine = self._judged.checkpoint
        if roots.size >= mine.size and roots.at(mine.size) != mine.root:
            return finding("FORK", f"{self._name} has other entries of this log", index=mine.size - 1)
        return self._apart(f"is this log at {roots.size} entries")

    def _apart(self, what: str) -> Finding:
        return finding("EPOCH_APART", f"{self._name} {what}")

    def _standing(self) -> tuple[Statement, Roots]:
        """Return the opening of a bundle that stands as a log by itself, and its roots.

        Raises:
            LedgerError: it does not.
        """
        found: list[Finding] = []
        note = self._note()
        size = _claimed_size(note)
        if -(-size // TILE_WIDTH) > len(self._bundle.names()):
            raise FormatError("FILE_MISSING", "expected an entry bundle for each 256 entries")
        first = first_of(self._bundle, size)
        opening = None if first is None else first.statement
        if first is None or opening is None or opening.type != "ledger.opened":
            raise FormatError("GENESIS", "its first entry is no opening that can be read")
        parse_action(opening)
        unsigned = check_set(INITIAL, opening, first.leaf)
        if unsigned is not None:
            raise unsigned
        keys = [parse_vkey(key) for key in opening.data["log_keys"]]
        checkpoint = check_published(note, keys, classical=self._options.classical)
        if not checkpoint.origin == opening.log == opening.data["origin"]:
            raise FormatError("LOG", "its checkpoint and first entry are of different logs")
        check_names(self._bundle, size, found.append)
        roots = check_tree(self._bundle, checkpoint, found.append)
        if found:
            raise FormatError(found[0].code, f"{found[0].code} in {found[0].file}")
        return opening, roots

    def _note(self) -> bytes:
        return self._bundle.read(NOTE_NAME, max_bytes=MAX_NOTE_BYTES)


def by_root(authority: Authority, opening: Statement) -> bool:
    """Tell whether as many root persons signed as the threshold asks for; signatures are judged apart."""
    keys = {ref.id for ref in (opening.key, *opening.with_)} & authority.root_key_ids
    live = [authority.keys[key] for key in keys if authority.keys[key].until is None]
    return len({key.person for key in live}) >= authority.threshold


def said_of(opening: Statement) -> Mapping[str, Any] | None:
    """Return what an opening continues; None for any other statement, or one that has no form."""
    if opening.type != "ledger.opened":
        return None
    try:
        parse_action(opening)
    except LedgerError:
        return None  # reported where the entry is judged
    said: Mapping[str, Any] | None = opening.data.get("continues")
    return said


def first_of(bundle: Bundle, size: int) -> ParsedEntry | None:
    """Return the first entry of a log of a size; None where it can't be read, which is reported elsewhere."""
    width = min(TILE_WIDTH, size)
    try:
        return parse_entry(0, read_leaves(bundle, 0, width)[0], read_payloads(bundle, 0, width, nowhere)[0])
    except (LedgerError, IndexError):
        return None


def first_entries(bundle: Bundle) -> Iterator[ParsedEntry]:
    """Yield every first entry that files of any width make, whichever of them is the log's."""
    leaves = dict.fromkeys(_first_leaves(bundle))
    payloads = dict.fromkeys(_first_payloads(bundle))
    for leaf in leaves:
        for payload in payloads:
            try:
                found = parse_entry(0, leaf, payload)
            except LedgerError:
                break  # of this leaf, whatever the payload
            if found.statement is not None:
                yield found


def nowhere(_: Finding) -> None:
    """Report nothing: it is reported elsewhere."""


def _event(first: ParsedEntry | None) -> str | None:
    return None if first is None else first.leaf.statement


def _claimed_size(note: bytes) -> int:
    """Return the size that a note claims, before anything of it is checked."""
    lines = note.split(b"\n", 2)
    if len(lines) < 3 or not lines[1].isdigit() or not 1 <= len(lines[1]) <= 16 or int(lines[1]) < 1:
        raise FormatError("NOTE", "expected a checkpoint of at least one entry")
    return int(lines[1])


def _first_leaves(bundle: Bundle) -> Iterator[bytes]:
    for name in _first_files(bundle, "tile/entries"):
        try:
            width = TILE_WIDTH if name.endswith("000") else int(name.rpartition("/")[2])
            yield decode_entries(bundle.read(name, max_bytes=MAX_ENTRIES_BYTES), width)[0]
        except (FormatError, IndexError):
            continue


def _first_payloads(bundle: Bundle) -> Iterator[bytes]:
    for name in _first_files(bundle, "payloads"):
        try:
            yield bundle.read(name, max_bytes=MAX_PAYLOADS_BYTES).partition(b"\n")[0]
        except FormatError:
            continue


def _first_files(bundle: Bundle, folder: str) -> Iterator[str]:
    """Yield the files of the first 256 entries, of whatever width."""
    for name in bundle.names():
        start, _, width = name.partition(".p/")
        if start == f"{folder}/000" and (name == start or (width.isdigit() and len(width) < 4)):
            yield name
