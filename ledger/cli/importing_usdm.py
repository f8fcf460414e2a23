"""`import usdm`: a study definition from a protocol in USDM.

What was taken goes to a file, what was not is counted on the terminal and listed in a report. Exit code 1:
the definition lacks something that has to come from elsewhere, and nothing was written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ledger.cli.terminal import AsJson, read_file, say, show, write_json
from ledger.errors import FormatError
from ledger.interchange.usdm import UsdmImport, read_overlay, read_usdm


def usdm(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A study in USDM v4, JSON.")],
    out: Annotated[Path, typer.Option(help="Where the study definition goes.")],
    overlay: Annotated[
        Path | None, typer.Option(help="What USDM does not say, in the definition's form, labelled X.")
    ] = None,
    site: Annotated[
        list[str] | None, typer.Option(help="Time zone of a site of the file: SITE_1=Europe/London.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Where the whole report goes, JSON.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a study definition of a USDM v4 file."""
    imported = read_usdm(
        read_file(file), read_overlay(read_file(overlay)) if overlay else None, _zones(site or [])
    )
    if report is not None:
        write_json(report, imported.as_json())
    if not imported.missing:
        write_json(out, imported.definition)
    if as_json:
        show(imported.as_json(), as_json=True)
    else:
        _print(imported, out, report)
    if imported.missing:
        raise typer.Exit(1)


def _print(imported: UsdmImport, out: Path, report: Path | None) -> None:
    definition = imported.definition
    if not imported.missing:
        parts = ("sites", "arms", "epochs", "visits", "criteria", "instruments", "outcomes")
        show({"definition": str(out), **{name: len(definition[name]) for name in parts}}, as_json=False)
    show({"taken": f"{len(imported.taken)} values", "not_taken": "by reason:"}, as_json=False)
    for why, (parts_, values) in imported.grouped.items():
        print(f"{parts_:>6} parts {values:>6} values  {why}")
    if report is None:
        say("--report FILE lists each of them by its JSON Pointer")
    for row in imported.missing:
        say(f"missing {row.pointer}: {row.expected}")
    if imported.missing:
        say("give these by --overlay FILE (and time zones by --site SITE=ZONE); nothing was written")


def _zones(options: list[str]) -> dict[str, str]:
    zones = {}
    for text in options:
        name, equals, zone = text.partition("=")
        if not (name and equals and zone):
            raise FormatError("SETTING", "expected SITE=ZONE", field="--site")
        zones[name] = zone
    return zones
