"""Commands that read projections: `replay`, `trail`, `report`, `rebuild` (interfaces.md, "Command line").

They read the store alone and need no key, so that sealed values stay sealed here whatever the role: opening
them is for the service, which records that it did. A trail that is written as a file is recorded too where
the directory has the service's key (`projections.exporting`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import Progress as Bar

from ledger.actions import all_specs
from ledger.cli.terminal import say
from ledger.conduct import Conduct
from ledger.continued import continued
from ledger.directory import open_store
from ledger.earlier_store import EarlierStore
from ledger.errors import FormatError, RefusedError
from ledger.exports import has_named
from ledger.fold import LogFold, StoreReader
from ledger.roles import ROLES
from ledger.store.port import Snapshot, StoredEntry
from projections import archiving
from projections.audit_trail import MAX_LIMIT, TrailFilter, trail
from projections.copies import commands as copying
from projections.desk import Desk
from projections.dossier import COLUMNS, dossier, rows
from projections.exporting import Sought, note_trail
from projections.participant import participant_view, stream_of
from projections.reader import Reader
from projections.render import print_table, print_view, to_csv, to_json, to_xlsx
from projections.report import rows_of, unseen
from projections.reports import REPORTS
from projections.rows import print_rows, rows_csv, rows_xlsx
from projections.runner import FILE, opened
from projections.signed import COLUMNS as SIGNED
from projections.signed import beside, indexes_of_rows, signed

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The ledger's directory.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Role = Annotated[str, typer.Option(help="Role that is read as.")]


class Format(StrEnum):
    """How a trail or a report is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    XLSX = "xlsx"


PIPED_WIDTH = 200
_NOBODY = "no such participant is known, or not to this role"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(replay)
    app.command("trail")(print_trail)
    app.command("report")(print_report)
    app.command("dossier")(print_dossier)
    app.command()(rebuild)
    copying.register(app)
    archiving.register(app)


def replay(
    directory: Directory,
    participant: Annotated[str, typer.Argument(metavar="PARTICIPANT", help="The participant's coded id.")],
    known: Annotated[str | None, typer.Option(help="As known at an index or a recording time.")] = None,
    true: Annotated[str | None, typer.Option(help="The state at a clinical time, as known then.")] = None,
    role: Role = "auditor",
    as_json: AsJson = False,
) -> None:
    """Show one participant as known now, as known then, or as it truly was."""
    reader = _reader(role)
    with _snapshot(directory, "count here, at indexes below 0") as reads:
        if not stream_of(reads, participant):  # before the log is read
            raise RefusedError("PARTICIPANT_UNKNOWN", _NOBODY)
        view = participant_view(
            reads, participant, reader=reader, known=known, true=true, conduct=_conduct(reads, known)
        )
    if view is None:
        raise RefusedError("PARTICIPANT_UNKNOWN", _NOBODY)
    if as_json:
        _write(orjson.dumps(view, option=orjson.OPT_SORT_KEYS) + b"\n")
    else:
        print_view(view, _console())


def print_trail(
    directory: Directory,
    participant: Annotated[str | None, typer.Option(help="Of one participant.")] = None,
    site: Annotated[str | None, typer.Option(help="Of one site.")] = None,
    actor: Annotated[str | None, typer.Option(help="Signed by one person.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Of one action type.")] = None,
    field: Annotated[str | None, typer.Option(help="With this field, such as /data/grade.")] = None,
    since: Annotated[str | None, typer.Option(help="From an index or a recording time on.")] = None,
    until: Annotated[str | None, typer.Option(help="Up to an index or a recording time.")] = None,
    newest: Annotated[bool, typer.Option("--newest-first", help="Newest first.")] = False,
    format_: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.TABLE,
    role: Role = "auditor",
    requested_by: Annotated[str | None, typer.Option(help="Person id of who asked for a file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the audit trail: who, what, when, old, new, why, signed how.

    What is written as a file (csv, json, xlsx) is recorded as export.generated before its first byte.
    """
    wanted = TrailFilter(
        participant=participant, site=site, actor=actor, type=type_, field=field, since=since, until=until
    )
    reader = _reader(role)
    with _snapshot(directory, "count here, at indexes below 0") as reads:
        lines, size = list(_lines(reads, wanted, reader, newest)), reads.size
        if not lines:
            _tell_nothing(reads, participant=participant, site=site, type_=type_)
    match Format.JSON if as_json else format_:
        case Format.TABLE:
            print_table(lines, _console())
            return
        case Format.CSV:
            data = to_csv(lines).encode()
        case Format.JSON:
            data = to_json(lines)
        case Format.XLSX:
            _refuse_terminal()
            data = to_xlsx(lines)
    note_trail(directory, data, Sought(wanted=wanted, role=role, size=size, requested_by=requested_by))
    _write(data)


def print_dossier(
    directory: Directory,
    what: Annotated[str, typer.Argument(metavar="INDEX|EVENT-HASH", help="Which statement.")],
    role: Role = "auditor",
    as_json: AsJson = False,
) -> None:
    """Print all that stands behind the signatures of one statement, and what came after."""
    reader = _reader(role)
    with _snapshot(directory) as reads:
        index = int(what) if what.isdecimal() and len(what) < 16 else reads.index_of_event(what)
        stored = None if index is None else reads.entry(index)
        sees = stored is not None and reader.sees(stored.stream, stored.type, orjson.loads(stored.statement))
        found = dossier(reads, stored.index) if stored is not None and sees else None
    if found is None:
        raise RefusedError("INDEX", "no such statement is known, or not to this role")
    if as_json:
        _write(orjson.dumps(found, option=orjson.OPT_SORT_KEYS) + b"\n")
        return
    printed = found["printed"]
    print(f"{found['index']}  {found['type']}  {found['event']}")
    print(found["says"])
    print(f"Signed by {printed['name']} ({printed['role']}, {printed['organisation']}), {printed['meaning']}")
    print(f"Signed {printed['signed_at']} by the signer's clock, recorded {found['recorded_at']}")
    for signature in found["signatures"]:
        holds = "holds" if signature["holds"] else "DOES NOT HOLD"
        print(f"Key {signature['key']} of {signature['person']}")
        print(f"  {signature['alg']}, {signature['grade']}: {holds}")
    print_rows(COLUMNS[1:-1], rows(found), _console())


def print_report(
    directory: Directory,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Which; else all are listed.")] = None,
    known: Annotated[str | None, typer.Option(help="As known at an index or a recording time.")] = None,
    site: Annotated[str | None, typer.Option(help="Only rows of one site.")] = None,
    participant: Annotated[str | None, typer.Option(help="Only rows of one participant.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.TABLE,
    role: Role = "auditor",
    as_json: AsJson = False,
) -> None:
    """Answer a question about the study: visits, safety, queries, worklists, logs and more."""
    reader = _reader(role)
    format_ = Format.JSON if as_json else format_
    if name is None:
        listed = [{"name": each.name, "question": each.question} for each in REPORTS.values()]
        _print_rows("reports", ("name", "question"), listed, format_)
        return
    report = REPORTS.get(name)
    if report is None:
        raise FormatError("REPORT", f"expected one of {', '.join(REPORTS)}", field="NAME")
    with _snapshot(directory, "count here, at indexes below 0") as reads:
        desk = Desk(reads, reader=reader, known=known)
        for sentence in unseen(report, reader):
            say(sentence)
        rows = rows_of(report, desk, site=site, participant=participant)
        if not rows:
            _tell_nothing(reads, participant=participant, site=site)
        columns = list(report.columns)
        if "index" in columns:  # who signed the record of a row stands beside it (21 CFR 11.50)
            rows = beside(rows, _signed(reads, desk.size, rows, reader))
            columns += SIGNED
    _print_rows(report.name, columns, rows, format_)


def _signed(reads: Snapshot, size: int, rows: list[dict[str, Any]], reader: Reader) -> list[dict[str, Any]]:
    def sees(entry: StoredEntry, statement: Mapping[str, Any]) -> bool:
        return reader.sees(entry.stream, entry.type, statement)

    return signed(reads, size, indexes_of_rows(rows), sees)


def _print_rows(title: str, columns: Iterable[str], rows: list[dict[str, Any]], format_: Format) -> None:
    match format_:
        case Format.TABLE:
            print_rows(columns, rows, _console())
        case Format.CSV:
            _write(rows_csv(columns, rows).encode())
        case Format.JSON:
            _write(to_json(rows))
        case Format.XLSX:
            _write_workbook(rows_xlsx(title, columns, rows))


def rebuild(directory: Directory, as_json: AsJson = False) -> None:
    """Throw the kept projections away and build them again from the log."""
    bar = Bar(console=Console(stderr=True), disable=not sys.stderr.isatty())
    with _snapshot(directory) as reads, opened(directory / FILE) as runner, bar:
        task = bar.add_task("rebuild", total=reads.size)
        position = runner.rebuild(reads, lambda at, _: bar.update(task, completed=at))
    if as_json:
        _write(orjson.dumps({"entries": position}) + b"\n")
    else:
        print(f"{position} entries folded")


def _lines(
    reads: Snapshot, wanted: TrailFilter, reader: Reader, newest_first: bool
) -> Iterator[dict[str, Any]]:
    after: int | None = None
    while True:
        page = trail(reads, wanted, reader=reader, after=after, limit=MAX_LIMIT, newest_first=newest_first)
        yield from page.lines
        after = page.next
        if after is None:
            return


def _tell_nothing(
    reads: Snapshot, *, participant: str | None, site: str | None, type_: str | None = None
) -> None:
    """Say on standard error that there is nothing, and whether a misspelt name may be why."""
    unknown = [
        f"the log has no {kind} {name}"
        for kind, name in (("participant", participant), ("site", site))
        if name is not None and not has_named(reads, kind, name)
    ]
    if type_ is not None and all(spec.type != type_ for spec in all_specs()):
        unknown.append(f"the catalogue has no type {type_}")
    say("; ".join(unknown) if unknown else "nothing of it is recorded, or not for this role")


def _reader(role: str) -> Reader:
    if role not in ROLES:
        raise FormatError("ROLE", "expected a role of the catalogue", field="--role")
    return Reader(role=role)


def _conduct(reads: Snapshot, known: str | None) -> Conduct:
    """Fold the rules over the log, so that breaches say whether they are open: up to the index asked for.

    A time may be one of the participant's site, so the whole log is folded where one is asked for.
    """
    fold, size = LogFold(StoreReader(reads)), reads.size
    if known is not None and known.isascii() and known.isdecimal() and len(known) < 16:
        size = min(size, int(known) + 1)
    fold.catch_up(reads, size)
    return fold.conduct


@contextmanager
def _snapshot(directory: Path, older_ones: str = "are not shown here") -> Iterator[Snapshot]:
    store = open_store(directory)
    try:
        with store.snapshot() as reads:
            older = continued(reads)
            if older is not None:
                at_hand = isinstance(store.earlier, EarlierStore)
                which = older_ones if at_hand else "are not at hand: ledger.toml names no directory of them"
                say(f"this log goes on from {older.size} entries of {older.origin}, which {which}")
            yield reads
    finally:
        store.close()


def _write_workbook(data: bytes) -> None:
    _refuse_terminal()
    _write(data)


def _refuse_terminal() -> None:
    if sys.stdout.isatty():
        raise FormatError("FORMAT", "a workbook is not for a terminal: send it to a file with >")


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _console() -> Console:
    """Return the console to print on; into a pipe or a file, lines are as wide as a page laid across."""
    return Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)
