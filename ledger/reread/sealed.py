"""What statements name and do not hold: sealed values and their keys, attachments, slots of lists."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from ledger.actions.registry import spec
from ledger.attachments import attachments
from ledger.datakeys import DESTROYED, DataKeys
from ledger.errors import LedgerError
from ledger.lines import parse_hash
from ledger.reread.damage import Found
from ledger.rules.erasure import ERASABLE
from ledger.sealing import check_disclosure
from ledger.statement import Statement, parse_statement
from ledger.store.port import NewDisclosure, Reads
from ledger.study.lists import check_slot

HASH_BYTES: Final = 32


class SealedCheck:
    """Opens every value, and remembers until the end which are gone and which erasures say so."""

    def __init__(self, found: Found, data_keys: DataKeys) -> None:
        self._found = found
        self._data_keys = data_keys
        self._unopened: list[tuple[int, str, str]] = []
        self._erased: set[str] = set()
        self._erasures: list[tuple[int, str, list[str]]] = []
        self.rows = 0
        self._lists: dict[str, int] = {}

    def check(self, reads: Reads, index: int, statement: Statement) -> None:
        """Check what one statement names."""
        self._disclosures(reads, index, statement)
        self._attachments(reads, index, statement)
        if statement.type == "personal_data.erased":
            self._erased.update(statement.data["digests"])
            self._erasures.append((index, statement.data["statement"], statement.data["digests"]))
        if statement.type == "randomization.list_committed":
            self._slots(reads, index, statement)

    def finish(self, reads: Reads) -> None:
        """Check that what is gone was erased, and that what was erased is gone."""
        for index, path, digest in self._unopened:
            if digest not in self._erased:
                self._found.bad(
                    "DISCLOSURE_MISSING", index, "disclosures", f"the sealed value at {path} is gone"
                )
        for name, size in self._lists.items():  # of lists not committed yet slots may lie ready
            if reads.count_slots(name) > size:
                self._found.bad("STRAY", None, "slots", f"list {name} has more slots than were committed to")
        for index, event, digests in self._erasures:
            self._erasure(reads, index, event, digests)

    def _disclosures(self, reads: Reads, index: int, statement: Statement) -> None:
        kept = {row.path: row for row in reads.disclosures(statement.event)}
        self.rows += len(kept)
        for path in kept.keys() - statement.sealed.keys():
            self._found.bad("DISCLOSURE", index, "disclosures", f"{path} is not sealed in this statement")
        for path, digest in statement.sealed.items():
            row = kept.get(path)
            if row is None:
                self._unopened.append((index, path, digest))
            else:
                self._open(index, statement, row, digest)

    def _open(self, index: int, statement: Statement, row: NewDisclosure, digest: str) -> None:
        scope = _scope(statement, row.path)
        if row.stream != statement.stream or (scope is not None and scope != row.scope):
            self._found.bad("DISCLOSURE", index, "disclosures", f"stream or scope of {row.path} are others")
        try:
            text = self._data_keys.open(row.event, row.path, row.stream, row.scope, row.nonce, row.ciphertext)
            check_disclosure(text, statement_id=statement.id, path=row.path, expected=digest)
        except LedgerError as error:
            if error.code == DESTROYED:
                self._unopened.append((index, row.path, digest))
            else:
                self._found.bad("DISCLOSURE", index, "disclosures", f"{row.path}: {error.code}")

    def _erasure(self, reads: Reads, index: int, event: str, digests: Sequence[str]) -> None:
        """Check that what an erasure names is gone: one that was interrupted is finished by asking again."""
        named = reads.index_of_event(event)
        stored = None if named is None else reads.entry(named)
        if stored is None:
            return  # the log itself is damaged, and that was said
        sealed = parse_statement(stored.statement).sealed
        left = {kept.path for kept in reads.disclosures(event) if sealed.get(kept.path) in digests}
        for path in sorted(left):
            self._found.bad("ERASURE_UNDONE", index, "disclosures", f"the value at {path} is still there")
        if not left:
            self._keys(reads, index, stored.stream)

    def _keys(self, reads: Reads, index: int, stream: str) -> None:
        """Check that no key is live of which the stream has no value any more: it would open old copies."""
        in_use = {
            kept.scope for entry in reads.stream_entries(stream) for kept in reads.disclosures(entry.event)
        }
        for scope in sorted(ERASABLE - in_use):
            if self._data_keys.is_live(stream, scope):
                detail = f"the key of {scope} is live and nothing that it closed is left"
                self._found.bad("ERASURE_UNDONE", index, "data keys", detail)

    def _attachments(self, reads: Reads, index: int, statement: Statement) -> None:
        for named in attachments(statement.data):
            kept = reads.attachment(named["sha256"])
            if kept is None:
                self._found.bad("ATTACHMENT", index, "attachments", "the bytes that it names are not there")
            elif hashlib.sha256(kept.data).hexdigest() != named["sha256"] or len(kept.data) != named["size"]:
                self._found.bad(
                    "ATTACHMENT", index, "attachments", "the bytes are not of the hash that names them"
                )

    def _slots(self, reads: Reads, index: int, statement: Statement) -> None:
        """Check that every slot kept for a list is in the list that was committed."""
        name, size = statement.data["list"], statement.data["size"]
        self._lists[name] = size
        root = parse_hash(statement.data["root"], what="the list's root", code="SLOT")
        for number in range(size):
            slot = reads.slot(name, number)
            if slot is None:
                continue  # erased after use, or kept elsewhere
            proof = [slot.proof[at : at + HASH_BYTES] for at in range(0, len(slot.proof), HASH_BYTES)]
            try:
                check_slot(slot.commitment, number, size, root, proof)
            except LedgerError as error:
                self._found.bad("SLOT", index, "slots", f"list {name} slot {number}: {error.message}")


def _scope(statement: Statement, path: str) -> str | None:
    """Return the scope that the type gives a path; None where it is that of a corrected value."""
    try:
        scope = spec(statement.type, statement.schema).scope_at(path)
    except LedgerError:
        return None
    return None if scope == "target" else scope
