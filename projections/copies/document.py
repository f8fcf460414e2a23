"""What the readable copy says, as plain JSON for the page template: nothing but the bundle and its verdicts.

    cover      scope, role, ledger id, what log it lacks, tree size, root, counts, verdicts, what is attached
    chapters   one for each stream: a participant's timeline, then every record with name, role, meaning, both
               times with their zone, old → new, reason, breaches, signature (21 CFR 11.50, FDA 2024 Q12, Q14)
    keys       the signature manifest: for each key who signed what in which meaning, and when

Same bundle and same verdicts, same document: nothing is asked of a clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ledger.errors import StoreError
from ledger.lines import encode_base64
from ledger.statement import parse_statement
from ledger.verify.findings import Verdict
from ledger.verify.report import Report
from projections.audit_trail import MAX_LIMIT, TrailFilter, trail
from projections.book import QUALITY, named
from projections.copies.alone import NOT_WHOLE, alone
from projections.copies.bundled import CopySource
from projections.copies.wording import marks_of, moment, ranges, record, utc, words
from projections.moments import UTC_ZONE
from projections.participant import load_book, site_of
from projections.study import Study
from projections.timeline import timeline

Line = dict[str, Any]
PARTICIPANT: Final = "participant/"
VERDICTS: Final = ("integrity", "completeness", "conduct")
_KINDS: Final = {"study": "the study", "site": "site", "participant": "participant"}
_FINDINGS_SHOWN: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A file that goes with the readable copy: its name, media type, what it is, and its bytes."""

    name: str
    media_type: str
    text: str
    data: bytes

    @property
    def sha256(self) -> str:
        """Return the hash that the cover names."""
        return hashlib.sha256(self.data).hexdigest()


def lines_of(source: CopySource) -> list[Line]:
    """Return the audit trail of the bundle's scope: a line for each statement of it that is shown.

    Raises:
        StoreError: `COPY_INCOMPLETE`, a defect: a shown statement without a line.
    """
    scope, reader = source.scope, source.reader()
    named = {scope.kind: scope.id} if scope.id is not None else {}
    wanted, lines, after = TrailFilter(**named), list[Line](), None
    while True:
        page = trail(source.reads, wanted, reader=reader, after=after, limit=MAX_LIMIT)
        lines += page.lines
        after = page.next
        if after is None:
            break
    expected = len(source.in_scope())
    if len(lines) != expected:
        raise StoreError("COPY_INCOMPLETE", f"expected {expected} records in the copy, got {len(lines)}")
    return [_naming(source, line) for line in lines]


def _naming(source: CopySource, line: Line) -> Line:
    """Name the record that a line is about by its event where the copy lacks it, as one of an older log."""
    entry = source.reads.entry(line["index"])
    if line["about"] is not None or line["type"] not in QUALITY or entry is None:
        return line
    about = next(named(parse_statement(entry.statement).data), None)
    return (
        line
        if about is None
        else line | {"what": f"{line['what']} It is about event {about}, not in this copy."}
    )


def compose(
    source: CopySource, lines: Iterable[Line], report: Report, *, title: str, attached: Iterable[Attached]
) -> dict[str, Any]:
    """Return what the template prints."""
    lines = list(lines)
    study = Study(source.reads, source.checkpoint.size)
    return {
        "cover": _cover(source, lines, report, title, attached),
        "chapters": _chapters(source, lines, study),
        "keys": _keys(lines),
    }


def name_of(source: CopySource) -> str:
    """Return what a copy is of, in words."""
    kind = _KINDS[source.scope.kind]
    return kind if source.scope.id is None else f"{kind} {source.scope.id}"


def _cover(
    source: CopySource, lines: list[Line], report: Report, title: str, attached: Iterable[Attached]
) -> dict[str, Any]:
    sealed, opened = _sealed_values(source)
    return {
        "title": title,
        "of": name_of(source),
        "scope": str(source.scope),
        "role": source.role,
        "origin": source.checkpoint.origin,
        "alone": _alone(source),
        "ledger_id": source.ledger_id,
        "size": source.checkpoint.size,
        "root": source.checkpoint.root.hex(),
        "root_base64": encode_base64(source.checkpoint.root),
        "as_of": utc(source.as_of),
        "counts": [
            ["records of this scope, each printed here", len(lines)],
            ["of these, corrections", sum(line["type"] == "correction.made" for line in lines)],
            [
                "of these, recorded breaches of a rule",
                sum(line["type"] == "breach.detected" for line in lines),
            ],
            ["sealed values opened to this role", opened],
            ["sealed values that stay sealed or were erased", sealed],
            ["entries of the ledger, of each the proof is attached", source.checkpoint.size],
            ["statements shown in the attached bundle", source.shown],
            ["statements withheld there: outside of the scope", source.withheld.scope],
            ["statements withheld there: blinded for this role", source.withheld.blinded],
        ],
        "verdicts": [[name, _verdict(report, name)] for name in VERDICTS],
        "findings": [_finding(each) for each in report.problems[:_FINDINGS_SHOWN]],
        "findings_more": max(0, len(report.problems) - _FINDINGS_SHOWN),
        "notes": _notes(report),
        "attached": [[each.name, each.text, each.sha256, len(each.data)] for each in attached],
    }


def _alone(source: CopySource) -> dict[str, str] | None:
    """Say what came before, of which a copy of this log holds nothing; None for a study's first log."""
    lacks = alone(source)
    if lacks is None:
        return None
    return {"title": NOT_WHOLE, "text": str(lacks), "older": lacks.older.origin}


def _verdict(report: Report, name: str) -> str:
    return report.verdict(Verdict(name))


def _finding(each: Any) -> list[str]:
    where = "" if each.index is None else f" at index {each.index}"
    return [each.code, f"{each.detail}{where}"]


def _notes(report: Report) -> list[list[Any]]:
    """Count the notes by their codes: what speaks against no verdict and has to be known."""
    counts: dict[str, int] = {}
    for each in report.notes:
        counts[each.code] = counts.get(each.code, 0) + 1
    return [[code, count] for code, count in sorted(counts.items())]


def _sealed_values(source: CopySource) -> tuple[int, int]:
    """Count the sealed values of these records: those that stay sealed or were erased, and those open."""
    entries = source.in_scope()
    events = {each.event for each in entries}
    every = sum(len(parse_statement(each.statement).sealed) for each in entries)
    opened = sum(event in events for event, _ in source.openings)
    return every - opened, opened


def _chapters(source: CopySource, lines: list[Line], study: Study) -> list[dict[str, Any]]:
    streams: dict[str, list[Line]] = {}
    for line in lines:
        streams.setdefault(line["stream"], []).append(line)
    # Participants first, each whole; then the streams of site and study.
    order = sorted(streams, key=lambda name: (not name.startswith(PARTICIPANT), name))
    return [_chapter(source, name, streams[name], study) for name in order]


def _chapter(source: CopySource, stream: str, lines: list[Line], study: Study) -> dict[str, Any]:
    kind, _, name = stream.partition("/")
    chapter: dict[str, Any] = {
        "title": f"{kind.capitalize()} {name}".strip(),
        "stream": stream,
        "records": [record(line) for line in lines],
        "timeline": [],
        "zone": f"time zone {UTC_ZONE}",
        "site": None,
    }
    if kind == "participant":
        book, _ = load_book(source.reads, name)
        chapter["site"] = site_of(book)
        zone = study.zone(site_of(book))
        chapter["zone"] = (
            f"time zone {zone}" if zone else f"times in {UTC_ZONE}: its time zone is not in this copy"
        )
        shown = timeline(source.reads, name, reader=source.reader()) or []
        chapter["timeline"] = [moment(line) for line in shown if not line["administrative"]]
        marks = {str(line["index"]): marks_of(line) for line in shown}
        for each in chapter["records"]:
            each["marks"] = marks.get(each["index"], "")
    return chapter


def _keys(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Return the signature manifest: each key with its signers, meanings, times, and indexes signed."""
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        for position, each in enumerate(line["signatures"]):
            new = {"alg": each["alg"], "grade": each["grade"] or "unknown", "signers": {}, "indexes": []}
            row = found.setdefault(each["id"], new)
            row["indexes"].append(line["index"])
            row["signers"].setdefault(_signer(line, position), []).append(line["signed_at"])
    return [_key(key, row) for key, row in sorted(found.items(), key=lambda item: item[1]["indexes"][0])]


def _signer(line: Line, position: int) -> tuple[str, str, str, str]:
    """Return printed name, role, organisation, meaning; a further key signs along with the first."""
    who = line["who"]
    if position:
        return f"along with {who['name']}", "", "", "further signature"
    return who["name"], words(who["role"]), who["organisation"], line["meaning"]


def _key(key: str, row: Mapping[str, Any]) -> dict[str, Any]:
    signers = [
        [*signer, str(len(times)), utc(min(times)), utc(max(times))]
        for signer, times in row["signers"].items()
    ]
    return {
        "key": key,
        "alg": row["alg"],
        "grade": row["grade"],
        "signers": signers,
        "indexes": ranges(row["indexes"]),
    }
