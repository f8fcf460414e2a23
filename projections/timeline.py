"""A participant's timeline: one line for each record, in the order of the log or of clinical time.

Every line says what it is in one sentence, when it occurred and was recorded, who signed it, and what
happened to it since: corrected, struck through, cosigned, in breach.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.conduct import Conduct
from ledger.participant import Breach
from ledger.store.port import Reads
from ledger.times import parse_instant
from projections import book as books
from projections.book import QUALITY, Record
from projections.breaches import is_open
from projections.describe import describe
from projections.moments import UTC_ZONE, Known, occurred, recorded
from projections.participant import is_shown, load_book, site_of, true_at
from projections.projection import State
from projections.reader import Reader
from projections.show import is_hidden, name


def timeline(
    reads: Reads,
    participant_id: str,
    *,
    reader: Reader,
    known: Known = None,
    true: str | None = None,
    conduct: Conduct | None = None,
) -> list[dict[str, Any]] | None:
    """Return the lines of a participant; None where nobody of this id is known, or not to this reader.

    Without `true` they stand in the order of the log. With it, those up to this clinical time stand in its
    order, and administrative ones, which have none, are left out.

    Raises:
        FormatError: `KNOWN` or `TRUE`.
    """
    book, study = load_book(reads, participant_id, known)
    if not is_shown(book, reader):
        return None
    zone = study.zone(site_of(book)) or UTC_ZONE
    hidden = reader.hidden
    records = [record for record in book["records"] if not is_hidden(record, book, hidden)]
    ordered = [(record, False) for record in records] if true is None else true_at(records, true, zone)
    state = None if conduct is None else conduct.state(participant_id)
    breaches = _by_event(() if state is None else state.breaches, study.size)
    lines = []
    for record, may_have in ordered:
        line = _line(record, book, zone)
        if record["event"] in breaches:
            line["breaches"] = breaches[record["event"]]
        if may_have:
            line["may_have"] = True
        lines.append(line)
    return lines


def _by_event(found: Iterable[Breach], size: int) -> dict[str, list[dict[str, Any]]]:
    by_event: dict[str, list[dict[str, Any]]] = {}
    for breach in found:
        if breach.found < size:
            shown = {"rule": breach.rule, "found": breach.found, "open": is_open(breach, size)}
            by_event.setdefault(breach.event, []).append(shown)
    return by_event


def _line(record: Record, book: State, zone: str) -> dict[str, Any]:
    actor = record["statement"]["actor"]
    line: dict[str, Any] = {
        **name(record),
        "what": describe(record["type"], record["schema"], record["data"]),
        "occurred": occurred(record["occurred_at"], zone),
        "recorded": recorded(record["at"], parse_instant(record["at"]), zone),
        "by": {part: actor[part] for part in ("id", "name", "role", "organisation")},
        "meaning": record["statement"]["meaning"],
        "administrative": record["type"] in QUALITY,
    }
    if record["type"] in QUALITY:
        targets = (books.find(book, event) for event in books.named(record["data"]))
        line["about"] = next((name(target) for target in targets if target is not None), None)
    if "changes" in record:
        line["corrected_by"] = [change["index"] for change in books.in_effect(record, book)]
    if "voided" in record:
        line["voided_by"] = record["voided"]
    if "cosigned" in record:
        line["cosigned_by"] = list(record["cosigned"])
    return line
