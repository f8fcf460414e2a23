"""What a ledger shows: to one reader in projections, stream and bundle, to anybody in its leaves.

Each function returns or yields texts by label, with names in the place of random values (`tests.twins`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from api.frames import frame
from api.routes.stream import Filter, renderer
from ledger.errors import LedgerError
from ledger.export import export_bundle
from ledger.leaf import parse_leaf
from ledger.roles import SIGHTS
from ledger.tiles import TILE_WIDTH, decode_entries, parse_path
from ledger.verify.options import Scope
from projections.audit_trail import MAX_LIMIT, TrailFilter, trail
from projections.breaches import breaches
from projections.desk import Desk
from projections.enrolment import enrolment, participants
from projections.history import history
from projections.participant import participant_view
from projections.reader import Reader
from projections.reports import REPORTS
from projections.timeline import timeline
from tests.projections.ledgers import opener_of
from tests.twins import Shown, Twin


def outcome(ask: Callable[[], str]) -> str:
    """Return an answer, or the code with which it is refused."""
    try:
        return ask()
    except LedgerError as error:
        return f"{type(error).__name__} {error.code} {error.field}: {error.message}"


def views(twin: Twin, reader: Reader) -> Iterator[tuple[str, str]]:
    """Yield view and timeline of each participant; of some also as known earlier, and as true then."""
    conduct, reads = twin.fold.conduct, twin.ledger.store
    moments: tuple[dict[str, Any], ...] = ({}, {"known": twin.size // 2}, {"true": "2024-07-16"})
    for number, name in enumerate(twin.participants()):
        for moment in moments if number < 2 else moments[:1]:
            about = f"{name} {moment}"
            shown = participant_view(reads, name, reader=reader, conduct=conduct, **moment)
            yield f"view of {about}", twin.json(shown)
            lines = timeline(reads, name, reader=reader, conduct=conduct, **moment)
            yield f"timeline of {about}", twin.json(lines)


def histories(twin: Twin, reader: Reader, participant: str) -> Iterator[tuple[str, str]]:
    """Yield the history of every field of every type of a participant's records."""
    reads, fields = twin.ledger.store, dict[str, None]()
    for entry in reads.stream_entries(f"participant/{participant}"):
        value = orjson.loads(entry.statement)
        names = [f"/data/{name}" for name in value["data"]]
        sealed = [path for path in value.get("sealed", {}) if path.startswith("/data/")]
        fields |= dict.fromkeys(f"{entry.type}{path}" for path in (*names, *sealed, "/occurred_at"))
    for each in fields:
        yield each, twin.json(history(reads, participant, each, reader=reader))


def lists(twin: Twin, reader: Reader) -> Iterator[tuple[str, str]]:
    """Yield what spans the study: participants, counts, breaches, the trail, and every report."""
    reads = twin.ledger.store
    yield "participants", twin.json(participants(reads, reader=reader))
    yield "enrolment", twin.json(enrolment(reads, reader=reader))
    yield "breaches", twin.json(breaches(reads, twin.fold.conduct, reader=reader))
    for newest_first in (False, True):
        page = trail(reads, TrailFilter(), reader=reader, limit=MAX_LIMIT, newest_first=newest_first)
        yield f"trail, newest first {newest_first}", twin.json([page.lines, page.next])
    desk = Desk(reads, reader=reader, fold=twin.fold)
    for name, report in REPORTS.items():
        yield f"report {name}", twin.json(list(report.rows(desk)))


def frames(twin: Twin, reader: Reader) -> Iterator[tuple[str, str]]:
    """Yield the frames of the stream, index by index: whole, and filtered by type and by participant."""
    types = frozenset({"participant.randomized", "breach.detected"})
    whole = renderer(reader, Filter(types=frozenset(), participant=None), twin.ledger.store)
    chosen = Filter(types=types, participant=twin.participants()[0])
    filtered = renderer(reader, chosen, twin.ledger.store)
    for entry in twin.entries():
        made = [frame(entry, "/v1/studies/twin")]
        sent = whole(made)
        yield f"frame {entry.index}", f"{len(sent)} {twin.plain(sent)}"
        if entry.type in types:
            yield f"filtered {entry.index}", twin.plain(filtered(made))


def everything(twin: Twin, reader: Reader) -> Shown:
    """Return what projections and stream show to a reader."""
    return {label: text for show in (views, lists, frames) for label, text in show(twin, reader)}


def reader_of(twin: Twin, role: str, sites: Iterable[str] | None = None) -> Reader:
    """Return a reader who opens whatever the role may open, and to whom no arm was shown in an emergency."""
    own = twin.participants()[0] if SIGHTS[role].others == "own" else None
    told = twin.fold.conduct.study.unblinding
    held = (
        who
        for who, each in twin.fold.authority.persons.items()
        if role in each.roles and not any(told.shown_to(who, name, twin.size) for name in twin.participants())
    )
    return Reader(
        role=role,
        person=own or min(held, default=None),
        sites=None if sites is None else frozenset(sites),
        opener=opener_of(twin.ledger),
    )


def leaves(twin: Twin) -> Shown:
    """Return what anybody reads of the log: each leaf with its size, its tag by first appearance."""
    tags: dict[str, int] = {}
    shown = {}
    for entry in twin.entries():
        leaf = parse_leaf(entry.leaf)
        number = tags.setdefault(leaf.stream, len(tags))
        shown[str(leaf.index)] = f"{len(entry.leaf)} bytes, tag {number}: {twin.plain(entry.leaf)}"
    return shown


def kept(twin: Twin) -> Shown:
    """Return what the database keeps: sizes of statements, sealed paths with scopes and padded sizes."""
    shown = {}
    for entry in twin.entries():
        sealed = [
            (each.path, each.scope, len(each.nonce), len(each.ciphertext))
            for each in twin.ledger.store.disclosures(entry.event)
        ]
        place = f"{entry.type} {entry.schema} {entry.stream} {entry.seq} {entry.at} {entry.id}"
        shown[str(entry.index)] = f"{place} {len(entry.statement)} bytes {json.dumps(sealed)}"
    return shown


def bundle(twin: Twin, out: Path, scope: Scope, role: str) -> Shown:
    """Return an export's files, each with its size and what stands in it."""
    note = twin.ledger.publish()
    assert note is not None

    def write() -> str:
        done = export_bundle(twin.ledger.store, twin.ledger.data_keys, note, out, scope=scope, role=role)
        return f"{done.size} leaves in {done.files} files"

    shown = {"outcome": outcome(write)}
    for path in sorted(out.rglob("*")):
        if path.is_file():
            name, data = str(path.relative_to(out)), path.read_bytes()
            shown[name if name not in shown else f"file {name}"] = (
                f"{len(data)} {file_content(twin, name, data)}"
            )
    return shown


def file_content(twin: Twin, name: str, data: bytes) -> str:
    """Return what stands in a file of a bundle; of hashes only that they are there."""
    if name.startswith("tile/entries/"):
        at = parse_path(name)
        return "\n".join(map(twin.plain, decode_entries(data, at.width or TILE_WIDTH)))
    return "hashes" if name.startswith("tile/") else twin.plain(data)
