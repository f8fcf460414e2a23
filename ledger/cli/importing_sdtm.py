"""`import sdtm`: the data of a finished study, into a ledger of its own.

Rows of every table are counted against the log afterwards, always. `--check` does more: it opens the ledger
again, replays it, compares every participant with the source, exports a bundle and has it verified. Exit code
1: something of that did not agree.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from ledger.cli.opening import make_key, new_keys
from ledger.cli.terminal import AsJson, new_passphrase, read_file, say, show, write_json
from ledger.committer import Ledger
from ledger.directory import open_ledger
from ledger.errors import FormatError
from ledger.exports import export_ledger
from ledger.interchange.sdtm_check import Difference, TableCount, compare, reconcile
from ledger.interchange.sdtm_ledger import Progress as Watch
from ledger.interchange.sdtm_ledger import make_ledger, plan_all, record_all, record_files
from ledger.interchange.sdtm_mapping import left_columns
from ledger.interchange.sdtm_source import Table, read_tables
from ledger.sources import SystemSources
from ledger.study.definition import load
from ledger.trust import trust_policy
from ledger.verify.judge import verify
from ledger.verify.options import Options, Scope
from ledger.verify.report import EXIT_HOLDS

BUNDLE = "export"
ROLE = "auditor"


def sdtm(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new directory for the ledger.")],
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Folder with the tables, *.parquet.")],
    definition: Annotated[Path, typer.Option(help="The study definition, JSON.")],
    name: Annotated[str, typer.Option(help="Printed name of who answers for the import.")],
    organisation: Annotated[str, typer.Option(help="Organisation of that person.")],
    subject: Annotated[list[str] | None, typer.Option(help="Take these subjects only.")] = None,
    check: Annotated[bool, typer.Option(help="Replay, compare with the source, export, verify.")] = False,
    report: Annotated[Path | None, typer.Option(help="Where the whole report goes, JSON.")] = None,
    plain_keys: Annotated[
        bool, typer.Option(help="Write keys without a passphrase, for trying out.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Turn SDTM tables into signed events of a new ledger; print counts by table."""
    tables = read_tables(source)
    there = {row.subject for row in tables["DM"].rows}
    taken = sorted(there if subject is None else set(subject))
    if not taken or not there.issuperset(taken):
        raise FormatError("SCOPE", "expected subjects of the table DM", field="--subject")
    passphrase = None if plain_keys else new_passphrase()
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("recording", total=None)
        done = _take(
            directory,
            tables,
            read_file(definition),
            (name, organisation),
            taken,
            passphrase,
            lambda step, now, total: progress.update(task, description=step, completed=now, total=total),
        )
    if check:
        done |= _check(directory, tables, taken, passphrase)
    if report is not None:
        write_json(report, done)
    if as_json:
        show(done, as_json=True)
    else:
        _print(done)
    if not done["agrees"]:
        raise typer.Exit(1)


def _take(
    directory: Path,
    tables: Mapping[str, Table],
    definition_file: bytes,
    importer: tuple[str, str],
    subjects: Collection[str],
    passphrase: str | None,
    watch: Watch,
) -> dict[str, Any]:
    sources, definition = SystemSources(), load(definition_file)
    planned = plan_all(tables, definition, subjects)
    days = (event.occurred[:10] for events in planned.values() for event in events)
    ledger, signer, ledger_id = make_ledger(
        directory,
        definition_file,
        importer=importer,
        keys=new_keys(sources),
        new_key=lambda holder: make_key("ed25519", sources, holder),
        passphrase=passphrase,
        sources=sources,
        oldest=_first_day(min(days)),
    )
    try:
        sites = {row.subject: row["SITEID"] or "" for row in tables["DM"].rows}
        events, breaches, seconds = record_all(ledger, signer, definition, planned, sites, watch)
        record_files(ledger, signer, tables.values(), planned)
        counts = reconcile(ledger, tables, set(subjects))
        size = ledger.store.head().size
    finally:
        ledger.close()
    rows = sum(count.referenced for count in counts)
    return {
        "ledger_id": ledger_id,
        "participants": len(planned),
        "events": events,
        "entries": size,
        "rows": rows,
        "seconds": f"{seconds:.1f}",
        "rows_a_second": round(rows / seconds) if seconds else 0,
        "breaches": dict(sorted(breaches.items())),
        "tables": [_row(count, tables[count.table]) for count in counts],
        "design": {table.name: len(table.rows) for table in tables.values() if not table.is_of_subjects},
        "agrees": all(count.agrees for count in counts),
    }


def _check(
    directory: Path, tables: Mapping[str, Table], subjects: Collection[str], passphrase: str | None
) -> dict[str, Any]:
    """Open the ledger anew, replay and compare it, export and verify."""
    began = time.monotonic()
    ledger = open_ledger(directory, passphrase, SystemSources())
    try:
        differences = compare(ledger, tables, set(subjects))
        replayed = time.monotonic()
        code = _verify(ledger, directory / BUNDLE)
    finally:
        ledger.close()
    verified = time.monotonic()
    found: dict[str, Any] = {
        "compared": len(subjects),
        "differences": [_difference(each) for each in differences],
        "replay_seconds": f"{replayed - began:.1f}",
        "export_and_verify_seconds": f"{verified - replayed:.1f}",
        "verified": code == EXIT_HOLDS,
    }
    if differences or code != EXIT_HOLDS:
        found["agrees"] = False
    return found


def _verify(ledger: Ledger, out: Path) -> int:
    policy = trust_policy(ledger)
    export_ledger(ledger, out, scope=Scope(kind="study"), role=ROLE)
    options = Options(
        policy=policy,
        ledger_id=policy.ledger_id,
        scope=Scope(kind="study"),
        role=ROLE,
        previous=None,
        outbox=None,
        strict_conduct=False,
        classical=False,
        post_quantum=False,
        workers=1,
    )
    return verify(out, options).exit_code


def _print(done: Mapping[str, Any]) -> None:
    print(f"{'table':<10} {'rows':>8} {'in events':>10} {'events':>8}")
    for row in done["tables"]:
        mark = "" if row["agrees"] else f"  {row['lacking']} lacking, {row['strange']} not in the source"
        print(f"{row['table']:<10} {row['rows']:>8} {row['referenced']:>10} {row['events']:>8}{mark}")
    for name, rows in done["design"].items():
        print(f"{name:<10} {rows:>8} {'':>10} {'':>8}  design of the study, not of a subject")
    for rule, count in done["breaches"].items():
        print(f"{count:>8} breaches  {rule}")
    members = ("ledger_id", "participants", "events", "entries", "rows", "seconds", "rows_a_second")
    checked = ("compared", "replay_seconds", "export_and_verify_seconds", "verified")
    show({name: done[name] for name in (*members, *checked) if name in done}, as_json=False)
    for each in done.get("differences", ()):
        say(f"{each['participant']}: {each['what']} is not what the source says")
    if not done["agrees"]:
        say("the ledger does not agree with its source")


def _row(count: TableCount, table: Table) -> dict[str, Any]:
    return {
        "table": count.table,
        "rows": count.rows,
        "referenced": count.referenced,
        "events": count.events,
        "lacking": count.lacking,
        "strange": count.strange,
        "agrees": count.agrees,
        "columns_left": left_columns(table),
    }


def _difference(each: Difference) -> dict[str, str]:
    return {"participant": each.participant, "what": each.what}


def _first_day(text: str) -> date:
    """Return the first day that a partial date can mean."""
    year, month, day = (*text.split("-"), "1", "1")[:3]
    return date(int(year), int(month), int(day))
