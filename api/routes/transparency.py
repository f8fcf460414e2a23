"""Events, proofs, checkpoints, tiles, exports, attachments: what lets a reader check instead of believe."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson
from starlette.responses import Response, StreamingResponse

from api import openings, sight
from api.answers import IMMUTABLE_S, PRIVATE, VARY, answer, head_header, text_answer
from api.call import Call
from api.event_page import event_page
from api.openings import Looked
from api.operations import PURPOSE, SCOPE, Operation, Parameter, path
from api.problems import ProblemError
from ledger.actions.registry import parse_action
from ledger.checkpoint import parse_body
from ledger.committer import Ledger
from ledger.errors import FormatError
from ledger.exports import export_ledger
from ledger.leaf import parse_leaf
from ledger.lines import encode_base64, parse_decimal
from ledger.note import parse_note
from ledger.recorded import receipt_of
from ledger.statement import Statement, parse_statement
from ledger.store.port import Reads, StoredEntry
from ledger.tiles import TILE_WIDTH, encode_entries, parse_path
from ledger.times import parse_instant
from ledger.verify.options import Scope, parse_scope
from projections.authorization import Bundle, allowed
from projections.moments import occurred, recorded
from projections.reader import Reader
from projections.study import Study

_EVENT = re.compile(r"[0-9a-f]{64}")
_SHA256 = _EVENT
BYTES: Final = "application/octet-stream"


def event(call: Call) -> Response:
    """Answer one entry: statement, leaf, signatures with printed names and meaning, what is opened here."""
    ledger = call.study.ledger
    with ledger.store.snapshot() as reads:
        entry = find_entry(reads, call.path("event"))
        head = reads.head()
        looked = Looked(scope=_scope_of(entry), projection="event", size=head.size)
        value, noted = openings.read(
            call,
            reads,
            looked,
            lambda opening: _entry(ledger, reads, opening, entry),
            shown=None,
        )
    # What is open here can be erased, which no index of this entry tells: asked for again, it is read again.
    last = None if value.get("open") else entry.index
    return answer(call, value, head, last=last, noted=noted, page=lambda: event_page(call, value))


def proof(call: Call) -> Response:
    """Answer the receipt of an entry: a tlog-proof with the leaf in it."""
    with call.study.ledger.store.snapshot() as reads:
        entry = find_entry(reads, call.path("event"))
        receipt, head = receipt_of(reads, entry.index), reads.head()
    if call.twin == "json":
        return answer(call, {"index": entry.index, "receipt": receipt.decode()}, head, last=entry.index)
    return text_answer(call, receipt, head, entry.index)


def checkpoint(call: Call) -> Response:
    """Answer the newest published checkpoint, its exact bytes."""
    ledger = call.study.ledger
    latest = ledger.checkpoints.latest()
    if latest is None:
        raise ProblemError("NOT_FOUND", 404)
    head = ledger.store.head()
    size, note = latest
    if call.twin == "json":
        root = encode_base64(parse_body(parse_note(note).text).root)
        value = {"origin": ledger.origin, "size": size, "root": root, "note": note.decode()}
        return answer(call, value, head, last=size)
    return text_answer(call, note, head, size, {"Cache-Control": "no-cache", "Vary": VARY})


def tile(call: Call) -> Response:
    """Answer a tile of hashes above the leaves."""
    return _tile(call, f"tile/{call.path('tile')}", levels=range(1, 64))


def leaf_tile(call: Call) -> Response:
    """Answer a tile of leaf hashes."""
    return _tile(call, f"tile/0/{call.path('tile')}", levels=range(1))


def entries(call: Call) -> Response:
    """Answer an entry bundle: the leaves under a tile of level 0."""
    place = _tile_path(f"tile/entries/{call.path('tile')}")
    start = place.n * TILE_WIDTH
    found = call.study.ledger.store.entries(start, start + place.width)
    if len(found) < place.width:
        raise ProblemError("TILE_PATH", 404)
    leaves = encode_entries([entry.leaf for entry in found])
    return _immutable(call, leaves, public=False)


def attachment(call: Call) -> Response:
    """Answer the bytes of an attachment that a statement names which the reader sees."""
    ledger, sha256 = call.study.ledger, call.path("sha256")
    with ledger.store.snapshot() as reads:
        kept = reads.attachment(sha256) if _SHA256.fullmatch(sha256) else None
        if kept is None or not _names_attachment(reads, call.reader, sha256):
            raise ProblemError("NOT_FOUND", 404)
        head = reads.head()
    headers = {
        **PRIVATE,
        **head_header(head),
        "ETag": f'"{sha256}"',
        "Content-Disposition": f'attachment; filename="{sha256}"',
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return Response(kept.data, headers=headers, media_type=kept.media_type)


def export(call: Call) -> Response:
    """Make a bundle in the reader's scope, answer it as a zip, and record that it was made."""
    scope = _export_scope(call)
    ledger, reader = call.study.ledger, call.reader
    known = ledger.refresh().authority.person(reader.person or "")
    with tempfile.TemporaryDirectory(prefix="trial-ledger-") as directory:
        out = Path(directory) / "bundle.zip"
        done = export_ledger(
            ledger,
            out,
            scope=scope,
            # There is no bundle of a blinded inspector: the auditor's opens no arm and shows the access log.
            role="auditor" if reader.blinded else reader.role,
            purpose="download",
            requested_by=known.id if known is not None else None,
        )
        file = out.open("rb")  # read on while its name is gone already: nothing stays behind
    name = f"{call.study.config.study}-{scope.kind}{'-' + scope.id if scope.id else ''}-{done.size}.zip"
    headers = {
        **PRIVATE,
        **head_header(ledger.store.head()),
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    return StreamingResponse(_pieces(file), headers=headers, media_type="application/zip")


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(1 << 16):
            yield piece


def find_entry(reads: Reads, name: str) -> StoredEntry:
    index: int | None = None
    if _EVENT.fullmatch(name):
        index = reads.index_of_event(name)
    else:
        try:
            index = parse_decimal(name, what="an index", code="UNKNOWN_EVENT")
        except FormatError as error:
            raise ProblemError("UNKNOWN_EVENT", 404) from error
    entry = None if index is None else reads.entry(index)
    if entry is None:
        raise ProblemError("UNKNOWN_EVENT", 404)
    return entry


def _scope_of(entry: StoredEntry) -> Scope:
    """Return what is looked at with an entry: its participant, its pharmacy's site, or the study."""
    kind, _, name = entry.stream.partition("/")
    if kind == "participant":
        return Scope(kind="participant", id=name)
    return Scope(kind="site", id=name) if kind in ("site", "pharmacy") else Scope(kind="study")


def _entry(ledger: Ledger, reads: Reads, reader: Reader, entry: StoredEntry) -> dict[str, Any]:
    value: dict[str, Any] = {
        "index": entry.index,
        "event": entry.event,
        "recorded": recorded(entry.at, parse_instant(entry.at), None),
        "leaf": orjson.Fragment(entry.leaf),
    }
    if not sight.sees(reader, entry, orjson.loads(entry.statement), reads):
        return {**value, "withheld": True}
    study = Study(reads, reads.head().size)
    statement = parse_statement(entry.statement)
    zone = study.zone(statement.site)
    return {
        **value,
        "recorded": recorded(entry.at, parse_instant(entry.at), zone),
        "withheld": False,
        "statement": orjson.Fragment(entry.statement),
        "description": parse_action(statement).describe(),
        "occurred": occurred(statement.occurred_at, zone),
        "signatures": _signatures(study, statement, entry),
        "open": sight.open_entry(reader, entry, ledger, reads),
    }


def _signatures(study: Study, statement: Statement, entry: StoredEntry) -> list[dict[str, Any]]:
    """Print name, role and meaning with the first signature, as it was signed (21 CFR 11.50)."""
    shown: list[dict[str, Any]] = []
    for n, sig in enumerate(parse_leaf(entry.leaf).sigs):
        person = statement.actor.id
        row: dict[str, Any] = {"alg": sig.alg, "key": sig.key, "sig": encode_base64(sig.sig)}
        if n == 0:
            row |= {
                "name": statement.actor.name,
                "organisation": statement.actor.organisation,
                "role": statement.actor.role,
                "meaning": statement.meaning,
                "signed_at": statement.signed_at,
                "grade": study.grade(person, sig.key, entry.index),
            }
        shown.append(row)
    return shown


def _tile(call: Call, name: str, levels: range) -> Response:
    place = _tile_path(name)
    if place.level not in levels:
        raise ProblemError("TILE_PATH", 404)
    store = call.study.ledger.store
    start = place.n * TILE_WIDTH
    with store.snapshot() as reads:
        if start + place.width > reads.size >> 8 * place.level:
            raise ProblemError("TILE_PATH", 404)
        data = reads.tile_hashes(place.level, start, start + place.width)
    return _immutable(call, data, public=place.level > 0)


def _tile_path(name: str) -> Any:
    try:
        place = parse_path(name)
    except FormatError as error:
        raise ProblemError("TILE_PATH", 404) from error
    return place


def _immutable(call: Call, data: bytes, *, public: bool) -> Response:
    """Answer bytes that never change; the head is that of the moment in which they were first given."""
    kept_by = "public" if public else "private"
    headers = {"Cache-Control": f"{kept_by}, max-age={IMMUTABLE_S}, immutable"}
    headers |= head_header(call.study.ledger.store.head())
    if not public:
        headers["Vary"] = VARY
    return Response(data, headers=headers, media_type=BYTES)


def _names_attachment(reads: Reads, reader: Reader, sha256: str) -> bool:
    """Tell whether the reader sees a statement that names these bytes."""
    wanted = f'"{sha256}"'.encode()
    size, at = reads.head().size, 0
    while at < size:
        for entry in reads.entries(at, at + 1_000):
            if wanted in entry.statement and sight.sees(reader, entry, orjson.loads(entry.statement), reads):
                return True
        at += 1_000
    return False


def _export_scope(call: Call) -> Scope:
    """Return the scope asked for, where it lies within the reader's own."""
    reader = call.reader
    scope = parse_scope(call.query.get("scope", "study"))
    site = None
    if scope.kind == "participant":
        site = sight.participant_sites(call.study.ledger.store, scope.id or "")[-1]
    if allowed(reader, "export", Bundle(kind=scope.kind, id=scope.id, site=site)):
        return scope
    if scope.kind == "participant":  # answered as one whom nobody knows
        raise ProblemError("UNKNOWN_PARTICIPANT", 404)
    raise ProblemError("FORBIDDEN", 403, field="scope")


_EVENT_PATH: Final = path("event", "index of an entry, or its event hash")
_TILE: Final = path("tile", "number of a tile as tlog-tiles writes it, with .p/<width> for a partial one")

OPERATIONS: Final = (
    Operation(
        name="proof",
        method="GET",
        path="/events/{event}/proof",
        summary="Receipt of an entry: c2sp.org/tlog-proof@v1 with the leaf in its extra line",
        handler=proof,
        parameters=(_EVENT_PATH,),
        media="text/plain",
        twins=("json",),
        answers={200: "the receipt", 304: "unchanged", 404: "no such entry"},
    ),
    Operation(
        name="event",
        method="GET",
        path="/events/{event}",
        summary="One entry of the log: statement, signatures with printed names and meanings, leaf",
        text="What the reader may not see is answered as its leaf alone, with `withheld` true.",
        handler=event,
        parameters=(_EVENT_PATH, PURPOSE),
        twins=("json", "html"),
        answers={200: "the entry", 304: "unchanged", 404: "no such entry"},
    ),
    Operation(
        name="checkpoint",
        method="GET",
        path="/checkpoint",
        summary="Newest published checkpoint, a C2SP signed note",
        handler=checkpoint,
        media="text/plain",
        twins=("json",),
        answers={200: "the note's bytes", 304: "unchanged", 404: "nothing was published yet"},
    ),
    Operation(
        name="entries",
        method="GET",
        path="/tile/entries/{tile:path}",
        summary="Entry bundle: the leaves under a tile of level 0",
        handler=entries,
        parameters=(_TILE,),
        media=BYTES,
        answers={200: "u16 length and bytes of each leaf", 404: "no such tile"},
    ),
    Operation(
        name="leaf-tile",
        method="GET",
        path="/tile/0/{tile:path}",
        summary="Tile of leaf hashes",
        handler=leaf_tile,
        parameters=(_TILE,),
        media=BYTES,
        answers={200: "32 bytes each", 404: "no such tile"},
    ),
    Operation(
        name="tile",
        method="GET",
        path="/tile/{tile:path}",
        summary="Tile of hashes above the leaves: level, slash, number",
        handler=tile,
        parameters=(_TILE,),
        media=BYTES,
        answers={200: "32 bytes each", 404: "no such tile"},
    ),
    Operation(
        name="attachment",
        method="GET",
        path="/attachments/{sha256}",
        summary="Bytes that a statement names",
        handler=attachment,
        parameters=(path("sha256", "SHA-256 of the bytes, hex"),),
        media=BYTES,
        answers={200: "the bytes, with their own media type", 404: "no visible statement names such bytes"},
    ),
    Operation(
        name="export",
        method="GET",
        path="/export",
        summary="Export bundle in the reader's own scope and role, as a zip; recorded as export.generated",
        handler=export,
        parameters=(
            Parameter(
                name="scope",
                text="study (default), site:S or participant:P, within the reader's own",
                schema=SCOPE,
            ),
        ),
        media="application/zip",
        answers={200: "the bundle", 404: "no such participant", 422: "no bundle is made for this role"},
    ),
)
