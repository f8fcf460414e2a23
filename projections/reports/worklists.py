"""What waits for somebody: to verify against source, to sign again, to cosign, to do by an investigator.

A verification or signature is outdated by any later change in its scope (catalogue H, R10); the row names the
index that did it. The investigator's tray gathers what waits for the investigators of a site, with what was
recorded since they last signed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ledger.actions import find_spec
from ledger.participant import Participant
from ledger.roles import PHYSICIANS
from ledger.rules.record import HOUR_US
from ledger.state.assurance import Assurance
from projections.book import QUALITY
from projections.desk import Desk, Line
from projections.report import Report, Row

# About other records, and so not compared with a source document themselves.
_NO_SOURCE: Final = frozenset({"query", "source", "source_document", "deviation", "form", "record", "breach"})
COSIGNATURE_HOURS: Final = 24


def verification(desk: Desk) -> Iterator[Row]:
    """Yield what was never verified or is outdated, by participant and index; what stands is left out."""
    for participant in desk.participants():
        stream = f"participant/{participant.id}"
        newest = {each.statement: each for each in participant.assurance.verified}
        for line in desk.records_of(stream):
            if not _has_source(line):
                continue
            done = newest.get(line.event)  # type: ignore[call-overload]  # an EventHash is a str
            if done is not None and done.outdated is None:
                continue
            yield {
                "site": line.site,
                "participant": participant.id,
                "type": line.type,
                "occurred_at": line.occurred_at,
                "state": "never verified" if done is None else "outdated",
                "verified_by": done.person if done is not None else None,
                "verified_index": done.index if done is not None else None,
                "outdated_index": done.outdated if done is not None else None,
                "index": line.index,
            }


def signatures(desk: Desk) -> Iterator[Row]:
    """Yield every signature over a scope, the outdated ones first, by index."""
    rows = []
    for stream, site, assurance in _assured(desk):
        again = {signature.event for signature in assurance.to_sign_again}
        for each in assurance.signatures:
            rows.append(
                {
                    "site": site,
                    "stream": stream,
                    "scope": each.scope,
                    "subject": each.subject,
                    "person": each.person,
                    "role": each.role,
                    "meaning": each.meaning,
                    "state": _state(each.outdated, each.event in again),
                    "signed_up_to_index": each.upto + desk.begin_of(each.index),
                    "outdated_index": each.outdated,
                    "index": each.index,
                }
            )
    yield from sorted(rows, key=lambda row: (row["state"] != "to sign again", row["index"]))


def _state(outdated: int | None, again: bool) -> str:
    if outdated is None:
        return "stands"
    return "to sign again" if again else "renewed"


def cosignatures(desk: Desk) -> Iterator[Row]:
    """Yield what waits for a second person, longest first (catalogue R9)."""
    rows = []
    for stream, site, assurance in _assured(desk):
        for each in assurance.pending:
            hours = (desk.now_us - each.at_us) // HOUR_US
            rows.append(
                {
                    "site": site,
                    "stream": stream,
                    "type": each.type,
                    "second": each.second,
                    "persons": sorted(each.persons),
                    "waiting_hours": hours,
                    "overdue": hours >= COSIGNATURE_HOURS,
                    "index": each.index,
                }
            )
    yield from sorted(rows, key=lambda row: (row["index"], row["second"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The records of a participant that a reader sees, in order, and what of them waits for somebody.

    Attributes:
        unsigned: what was recorded since a physician last signed, quality records left out.
        pending: what waits for a second person, each with as what that person signs.
    """

    lines: tuple[Line, ...]
    by_event: Mapping[str, Line]
    unsigned: tuple[Line, ...]
    pending: tuple[tuple[str, Line], ...]


def waiting_of(desk: Desk, participant: Participant) -> Waiting:
    """Walk the records of a participant once."""
    lines = tuple(desk.records_of(f"participant/{participant.id}"))
    by_event = {line.event: line for line in lines}
    assurance = participant.assurance
    by_physicians = (each for each in assurance.signatures if each.role in PHYSICIANS)
    signed = max((each.upto + desk.begin_of(each.index) for each in by_physicians), default=-(2**53))
    pending = dict.fromkeys((f"cosign as {e.second.replace('_', ' ')}", e.event) for e in assurance.pending)
    return Waiting(
        lines=lines,
        by_event=by_event,
        unsigned=tuple(line for line in lines if line.index > signed and line.type not in QUALITY),
        pending=tuple((what, by_event[event]) for what, event in pending if event in by_event),
    )


def tray(desk: Desk) -> Iterator[Row]:
    """Yield what waits for the investigators of each site, by site, kind and participant."""
    for participant in desk.participants():
        waiting = waiting_of(desk, participant)
        lines, by_event, since = waiting.lines, waiting.by_event, waiting.unsigned
        if since:
            yield _item(participant, "recorded since you last signed", len(since), since[0], since[-1])
        for what, line in waiting.pending:
            yield _item(participant, what, 1, line, line)
        for query in participant.assurance.open_queries:
            if query.state == "open" and query.event in by_event:
                asked = by_event[query.event]
                yield _item(participant, "answer a query", 1, asked, asked)
        for line in _unreviewed(lines):
            yield _item(participant, "review a result", 1, line, line)
        open_ = [b for b in participant.breaches if b.is_open and b.event in by_event]
        if open_:
            first, newest = by_event[open_[0].event], by_event[open_[-1].event]
            yield _item(participant, "open breaches", len(open_), first, newest)


def _unreviewed(lines: Sequence[Line]) -> Iterator[Line]:
    reviewed = {line.data["statement"] for line in lines if line.type == "result.reviewed"}
    for line in lines:
        if line.type == "lab_result.received" and line.event not in reviewed:
            yield line


def _item(participant: Participant, what: str, count: int, first: Line, last: Line) -> Row:
    return {
        "site": participant.site,
        "participant": participant.id,
        "what": what,
        "count": count,
        "since": first.recorded_at,
        "first_index": first.index,
        "index": last.index,
    }


def _has_source(line: Line) -> bool:
    """Tell whether a record is a fact that was written down somewhere first."""
    if line.type in QUALITY or (line.type.partition(".")[0] in _NO_SOURCE and line.type != "form.recorded"):
        return False
    return find_spec(line.type, 1) is not None and "source" in line.data


def _assured(desk: Desk) -> Iterator[tuple[str, str | None, Assurance]]:
    """Yield stream, site and assurance of every stream that the reader sees."""
    for participant in desk.participants():
        yield f"participant/{participant.id}", participant.site, participant.assurance
    for stream, assurance in sorted(desk.conduct.study.assurance.items()):
        kind, _, name = stream.partition("/")
        site = name if kind in ("site", "pharmacy") else None
        if (site is None or desk.sees_site(site)) and desk.reader.sees(stream, "", {"site": site}):
            yield stream, site, assurance


REPORTS: Final = (
    Report(
        name="verification",
        question="What is to be compared with its source, for the first time or again?",
        columns=MappingProxyType(
            {
                "site": "the site of the record",
                "participant": "coded id",
                "type": "what was recorded",
                "occurred_at": "when it happened, as written and corrected",
                "state": "never verified, or outdated by a later change",
                "verified_by": "who verified it last",
                "verified_index": "index of that verification",
                "outdated_index": "index of the change that outdated it",
                "index": "index of the record",
            }
        ),
        rows=verification,
    ),
    Report(
        name="signatures",
        question="What was signed, what changed after it, and what is to be signed again?",
        columns=MappingProxyType(
            {
                "site": "the site",
                "stream": "where the signature stands",
                "scope": "form, visit, participant or milestone",
                "subject": "which visit or milestone",
                "person": "who signed",
                "role": "in which role",
                "meaning": "with which meaning",
                "state": "stands, to sign again, or renewed since",
                "signed_up_to_index": "index up to which it covers",
                "outdated_index": "index of the first later record in its scope",
                "index": "index of the signature",
            }
        ),
        rows=signatures,
    ),
    Report(
        name="cosignatures",
        question="What waits for a second person, as what, and since when?",
        columns=MappingProxyType(
            {
                "site": "the site",
                "stream": "where it stands",
                "type": "what waits",
                "second": "as what the second person signs",
                "persons": "who has a part in it and cannot be that person",
                "waiting_hours": "whole hours since it was recorded",
                "overdue": "whether that is more than 24 hours",
                "index": "index of the record",
            }
        ),
        rows=cosignatures,
    ),
    Report(
        name="tray",
        question="What waits for the investigators of a site?",
        columns=MappingProxyType(
            {
                "site": "the site",
                "participant": "coded id",
                "what": "what is to be done",
                "count": "how many records it is about",
                "since": "when the first of them was recorded, UTC",
                "first_index": "index of the first",
                "index": "index of the newest",
            }
        ),
        rows=tray,
    ),
)
