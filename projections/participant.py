"""One participant: everything recorded of them, as it reads now, as it was known then, or as it was then.

    participant_view(reads, "SA-01-007", reader=reader)                        as known at the head
    participant_view(reads, "SA-01-007", reader=reader, known=412)             as known at index 412
    participant_view(reads, "SA-01-007", reader=reader, true="2026-03-01")     that day, as known now

Known folds records in the order of the log, true in the order of their corrected clinical times, same times
in log order, up to the time asked for; a record whose partial date overlaps that time is marked `may_have`. A
view differs between the two wherever something was entered late or its time was corrected. Administrative
types have no clinical time: corrections, voidings and breaches count as soon as they are known.

In a log that continues another, the records of the older one count as well; each names its own `log`
(`projections.before`), and `older` says how many there are.

The projection is the participant's book; what is shown is derived from it for one reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Final

from ledger.conduct import Conduct
from ledger.errors import FormatError
from ledger.fold import StoreReader
from ledger.participant import Breach, Flag, Participant
from ledger.rules import refold
from ledger.rules.record import span
from ledger.rules.stream import view_of
from ledger.store.port import Reads, StoredEntry
from ledger.times import parse_instant
from projections import book as books
from projections import status as statuses
from projections.before import closed_before, entries_before
from projections.book import QUALITY, VOIDING, Record, new_book
from projections.breaches import show_all
from projections.moments import UTC_ZONE, Known, known_size, true_us
from projections.participant_parts import Parts
from projections.projection import Projection, State, by_participant, replay
from projections.reader import Reader
from projections.show import is_hidden, show, show_correction, show_reason, signer
from projections.study import Study

TRANSFER: Final = "participant.transferred"
PARTICIPANT: Final = Projection(
    name="participant", version=1, types=None, key=by_participant, initial=new_book, fold=books.fold
)


def participant_view(
    reads: Reads,
    participant_id: str,
    *,
    reader: Reader,
    known: Known = None,
    true: str | None = None,
    conduct: Conduct | None = None,
) -> dict[str, Any] | None:
    """Return the view of a participant; None where nobody of this id is known, or not to this reader.

    With `conduct`, which has folded the log at least that far, breaches say whether they are open and what
    closed them; without it they are listed as recorded, and `open` is null.

    Raises:
        FormatError: `KNOWN` or `TRUE`.
    """
    book, study = load_book(reads, participant_id, known)
    if not is_shown(book, reader):
        return None
    if conduct is None:
        return view(book, study, reader, true=true)
    newest = conduct.state(participant_id)
    state = newest if known is None else as_known(reads, conduct, participant_id, study.size)
    shown = view(book, study, reader, true=true, breaches=() if newest is None else newest.breaches)
    if state is not None:
        last = reads.entry(study.size - 1)
        zone = study.zone(site_of(book)) or UTC_ZONE
        at_us = true_us(true, zone) if true is not None else parse_instant(last.at) if last is not None else 0
        shown["flags"] |= flags(state, at_us, study.size)
    return shown


def as_known(reads: Reads, conduct: Conduct, participant_id: str, size: int) -> Participant | None:
    """Return what the rules held of a participant when the log had `size` leaves.

    `conduct` has folded at least as many: what it holds of the study answers for every earlier index.
    """
    entries = StoreReader(reads).entries_of(f"participant/{participant_id}")
    return refold.replay(view_of(entries, size), conduct.study, size - 1)


def flags(state: Participant, at_us: int, size: int) -> dict[str, Any]:
    """Show the flags that stand beside the status at an instant (catalogue, "Status").

    Who was unblinded stands in a stream that most do not see, and is asked of the unblinding log.
    """
    raised = state.flags_at(at_us)
    extension = state.leaving.extension.status
    return {
        **{str(flag).replace(" ", "_").replace("-", "_"): flag in raised for flag in Flag},
        "locked": state.assurance.locked(size) is not None,
        "extension": None if extension is None else str(extension),
    }


def load_book(reads: Reads, participant_id: str, known: Known = None) -> tuple[State, Study]:
    """Replay a participant's book as known at an index or time; the study is as of then too."""
    entries = stream_of(reads, participant_id)
    if known is None or isinstance(known, int):
        size = known_size(reads, known)
        study = Study(reads, size)
    else:
        # A recording time without an offset is read at the participant's site.
        study = Study(reads, reads.head().size)
        size = known_size(reads, known, _zone_of(entries, study))
        study = Study(reads, size)
    # As known before this log began, nothing is: that is asked of the log that it continues.
    return replay(PARTICIPANT, entries if size else (), participant_id, size), study


def stream_of(reads: Reads, participant_id: str) -> list[StoredEntry]:
    """Return a participant's entries, those of older epochs first, at indexes below 0."""
    stream = f"participant/{participant_id}"
    return [*entries_before(reads, stream), *reads.stream_entries(stream)]


def _zone_of(entries: Sequence[Any], study: Study) -> str:
    book = replay(PARTICIPANT, entries[:1], entries[0].stream[12:], 2**63) if entries else new_book("")
    return study.zone(site_of(book)) or UTC_ZONE


def is_shown(book: State, reader: Reader) -> bool:
    """Tell whether a book has records and this reader sees its stream."""
    records = book["records"]
    if not records:
        return False
    stream, type_ = f"participant/{book['id']}", records[0]["type"]
    return any(reader.sees(stream, type_, {"site": site}) for site in {site_of(book), *_left(book)})


def site_of(book: State) -> str | None:
    """Return the participant's site: that of the registration, or of the newest transfer."""
    for record in reversed(book["records"]):
        if record["type"] == TRANSFER and "voided" not in record:
            site: str = record["data"]["to"]
            return site
    records = book["records"]
    return records[0]["statement"].get("site") if records else None


def _left(book: State) -> Iterable[str]:
    """Return the sites that the participant was of before."""
    return (record["data"]["from"] for record in book["records"] if record["type"] == TRANSFER)


def view(
    book: State,
    study: Study,
    reader: Reader,
    *,
    true: str | None = None,
    breaches: Iterable[Breach] | None = None,
) -> dict[str, Any]:
    """Derive the view of a book for a reader."""
    site = site_of(book)
    zone = study.zone(site) or UTC_ZONE
    reader = closed_before(reader, book)
    hidden = reader.hidden
    records = book["records"]
    if hidden:
        records = [record for record in records if not is_hidden(record, book, hidden)]
    last = records[-1]["index"] if records else None
    ordered = [(record, False) for record in records] if true is None else true_at(records, true, zone)
    parts = Parts(book, reader)
    for record, may_have in ordered:
        parts.add(record, may_have=may_have)
    sure = records if true is None else [record for record, may_have in ordered if not may_have]
    reached = statuses.standing(sure, study)
    shown: dict[str, Any] = {
        "participant": book["id"],
        "site": site,
        "zone": zone,
        "known": study.size - 1,
        "true": true,
        "last_index": last,
        "status": str(reached.status),
        "milestones": statuses.shown_milestones(reached),
        **parts.done(),
    }
    if len(sure) < len(ordered):
        may_be = statuses.standing((record for record, _ in ordered), study)
        shown["status_may_be"] = str(may_be.status)
    older = sum(record["index"] < 0 for record in records)
    if older:
        shown["older"] = {"log": records[0]["statement"]["log"], "records": older}
    _about(shown, book, records, reader)
    counted = {record["event"] for record, _ in ordered}
    shown["breaches"] = _breaches(records, breaches, study.size, counted)
    # A delegation or training that explains a breach stands in another stream, and changes this view too.
    explained = (each["explained_by"] for each in shown["breaches"] if each.get("explained_by") is not None)
    shown["last_index"] = max((index for index in (last, *explained) if index is not None), default=None)
    shown["flags"] = {
        "open_breaches": sum(breach["open"] is not False for breach in shown["breaches"]),
        "pending_cosignature": len(shown["pending"]),
    }
    return shown


def true_at(records: Iterable[Record], true: str, zone: str) -> list[tuple[Record, bool]]:
    """Return the records up to a clinical time, in its order, each with whether it *may have* been.

    Raises:
        FormatError: `TRUE`.
    """
    limit = true_us(true, zone)
    found = []
    for record in records:
        if record["type"] not in QUALITY:
            earliest, latest = when(record, zone)
            if earliest <= limit:
                found.append((earliest, record["index"], record, latest > limit))
    found.sort(key=itemgetter(0, 1))
    return [(record, may_have) for _, _, record, may_have in found]


def when(record: Record, zone: str) -> tuple[int, int]:
    """Return the first and the last instant that a record's clinical time, as it reads now, can mean."""
    try:
        found = span(record["occurred_at"], zone)
    except FormatError:  # a corrected date that the site's calendar skipped: the time as signed
        found = span(record["statement"]["occurred_at"], UTC_ZONE)
    return found.earliest_us, found.latest_us


def _about(shown: dict[str, Any], book: State, records: Iterable[Record], reader: Reader) -> None:
    """Add corrections, what is struck through, and what waits for a second person."""
    shown["corrections"], shown["voided"], shown["pending"] = [], [], []
    for record in records:
        if record["type"] == books.CORRECTION:
            shown["corrections"].append(show_correction(record, book, reader))
        elif record["type"] == VOIDING and "voided" not in record and books.is_pending(record, book):
            shown["pending"].append(_voiding(record, book, reader))
        if "voided" in record:
            shown["voided"].append(_struck(record, book, reader))


def _struck(record: Record, book: State, reader: Reader) -> dict[str, Any]:
    voiding = next(r for r in book["records"] if r["index"] == record["voided"])
    return {**show(record, book, reader), "voided_by": _voiding(voiding, book, reader)}


def _voiding(record: Record, book: State, reader: Reader) -> dict[str, Any]:
    data = record["data"]
    shown = {
        "index": record["index"],
        "event": record["event"],
        "statement": data["statement"],
        "code": data["code"],
        "right": data.get("right"),
        **signer(record),
        "recorded_at": record["at"],
        "cosigned_by": list(record.get("cosigned", ())),
    }
    if "reason" in record["statement"]:
        shown["reason"] = show_reason(record, reader)
    return shown


def _breaches(
    records: Iterable[Record], found: Iterable[Breach] | None, size: int, counted: set[str]
) -> list[dict[str, Any]]:
    by_event = {record["event"]: record for record in records}
    if found is not None:
        shown = show_all((breach for breach in found if breach.event in by_event), size)
    else:
        shown = [
            {
                "rule": record["data"]["rule"],
                "statement": {
                    "index": by_event[record["data"]["statement"]]["index"],
                    "event": record["data"]["statement"],
                },
                "recorded": record["index"],
                "open": None,
            }
            for record in by_event.values()
            if record["type"] == books.BREACH and record["data"]["statement"] in by_event
        ]
    # Breaches of corrections and co-signatures have no clinical time: they count as soon as they are known.
    administrative = {event for event, record in by_event.items() if record["type"] in QUALITY}
    return [each for each in shown if each["statement"]["event"] in counted | administrative]
