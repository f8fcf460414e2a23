"""`erase`: destroy sealed values on two recorded approvals (record-format.md §7; catalogue A)."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.cli.terminal import AsJson, Directory, opened, say, show
from ledger.erasing import Erased, erase, remains


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("erase")(erase_values)


def erase_values(
    directory: Directory,
    approvals: Annotated[
        tuple[str, str], typer.Option(metavar="E1 E2", help="Event hashes of the two erasure.approved.")
    ],
    as_json: AsJson = False,
) -> None:
    """Erase the sealed values that two recorded approvals name.

    It says which backups still hold them, and looks for them in every file of the directory: one that holds
    them yet, such as an export that was written into it, is a finding.
    """
    with opened(directory) as ledger:
        erased = erase(ledger, approvals)
    found = [str(path.relative_to(directory)) for path in remains(directory, erased.traces)]
    if as_json:
        show(_as_json(erased, found), as_json=True)
    else:
        _print(erased, found)
    if found:
        raise typer.Exit(1)


def _as_json(erased: Erased, found: list[str]) -> dict[str, object]:
    return {
        "index": erased.index,
        "statement": erased.statement,
        "paths": list(erased.paths),
        "approved_by": list(erased.approved_by),
        "keys_destroyed": [f"{stream} {scope}" for stream, scope in erased.keys],
        "backups": [backup.backup for backup in erased.backups],
        "corrections": list(erased.corrections),
        "found_in": found,
    }


def _print(erased: Erased, found: list[str]) -> None:
    print(f"erased {', '.join(erased.paths)} of {erased.statement}, recorded at index {erased.index}")
    print(f"approved by {' and '.join(erased.approved_by)}")
    for stream, scope in erased.keys:
        print(f"destroyed the data key of {stream} {scope}: nothing else was sealed under it")
    for backup in erased.backups:
        print(f"ERASURE_PENDING backup {backup.backup} of size {backup.size} holds it until it is destroyed")
    for event in erased.corrections:
        say(f"the correction {event} seals a value of the same place: it needs approvals of its own")
    for name in found:
        say(f"still found in {name}")
