"""What one reader sees of the log's entries, and which sealed values are opened on the way.

A reader sees a statement as `projections.reader` says. A record that names a statement of a type that is
hidden from a role is hidden with it: a correction would otherwise tell the value.

Sealed values of scope `treatment` and `identity` are never opened here: each opening of those is an event of
its own (`openings`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from api.problems import ProblemError
from ledger.committer import Ledger
from ledger.datakeys import DESTROYED
from ledger.errors import StoreError
from ledger.sealing import open_disclosure
from ledger.store.port import NewDisclosure, Reads, StoredEntry
from projections.authorization import Participant, Record, allowed
from projections.participant import stream_of
from projections.reader import ERASED, Reader, is_marker, sealed

OPENED_HERE: Final = frozenset({"freetext", "safety", "access"})


def sees(reader: Reader, entry: StoredEntry, statement: Mapping[str, Any], reads: Reads) -> bool:
    """Tell whether a reader sees the statement of an entry."""
    about = frozenset(_named_types(statement, reads)) if reader.hidden else frozenset()
    record = Record(stream=entry.stream, type=entry.type, statement=statement, about=about)
    return bool(allowed(reader, None, record))


def sees_participant(reader: Reader, site: str | None, participant: str) -> bool:
    """Tell whether a participant is one of the reader's."""
    return bool(allowed(reader, None, Participant(id=participant, sites=(site,))))


def participant_sites(reads: Reads, participant: str) -> tuple[str | None, ...]:
    """Return every site of a participant, the present one last: that of registration, and one a transfer.

    Raises:
        ProblemError: `UNKNOWN_PARTICIPANT`.
    """
    entries = stream_of(reads, participant)
    if not entries:
        raise ProblemError("UNKNOWN_PARTICIPANT", 404)
    first = orjson.loads(entries[0].statement).get("site")
    moves = (orjson.loads(entry.statement) for entry in entries if entry.type == "participant.transferred")
    return (first, *(move["data"]["to"] for move in moves))


def open_entry(reader: Reader, entry: StoredEntry, ledger: Ledger, reads: Reads) -> dict[str, str]:
    """Return the disclosures D of an entry that are open to this reader, by path."""
    opened = {}
    for kept in reads.disclosures(entry.event):
        if not is_marker(reader.value(kept.event, kept.path, kept.scope)):
            disclosure = _decrypt(ledger, kept)
            if disclosure is not None:
                opened[kept.path] = disclosure
    return opened


def with_openings(reader: Reader, ledger: Ledger, reads: Reads) -> Reader:
    """Give a reader the means to open what may be opened here; everything else stays sealed for it."""

    def opener(event: str, path: str) -> Any:
        kept = next((each for each in reads.disclosures(event) if each.path == path), None)
        if kept is None:
            return ERASED
        return value_of(ledger, kept) if kept.scope in OPENED_HERE else sealed(kept.scope)

    return replace(reader, opener=opener)


def value_of(ledger: Ledger, kept: NewDisclosure) -> Any:
    """Decrypt a sealed value; `ERASED` where its data key was destroyed."""
    disclosure = _decrypt(ledger, kept)
    return ERASED if disclosure is None else open_disclosure(disclosure).value


def _decrypt(ledger: Ledger, kept: NewDisclosure) -> str | None:
    """Decrypt a disclosure; None where its data key was destroyed."""
    try:
        return ledger.data_keys.open(
            kept.event, kept.path, kept.stream, kept.scope, kept.nonce, kept.ciphertext
        )
    except StoreError as error:
        if error.code != DESTROYED:
            raise
        return None


def _named_types(statement: Mapping[str, Any], reads: Reads) -> Iterator[str]:
    """Yield the type of the statement that one names, of the one that this names, and so on."""
    named = statement["data"].get("statement")
    index = reads.index_of_event(named) if isinstance(named, str) else None
    entry = None if index is None else reads.entry(index)
    if entry is not None:
        yield entry.type
        yield from _named_types(orjson.loads(entry.statement), reads)
