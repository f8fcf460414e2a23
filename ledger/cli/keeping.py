"""`record` and `fsck`: what goes into a ledger, and whether its storage is what it was."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer

from ledger.cli.attaching import Attach, attached, tell
from ledger.cli.covering import cover_of_log
from ledger.cli.terminal import AsJson, Directory, opened, read_key, show, show_recorded
from ledger.errors import FormatError, StoreError
from ledger.fsck import Damage, check_storage
from ledger.lines import counted
from ledger.prepare import Signer
from ledger.reread.damage import told
from ledger.submission import parse_body

_OPEN = "open"
CHECKERS = "trial_ledger.checkers"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(record)
    app.command()(fsck)


def record(
    directory: Directory,
    action: Annotated[
        Path, typer.Argument(metavar="ACTION.json", help="Members of the statement, and `open`.")
    ],
    key: Annotated[Path, typer.Option(help="The signer's key file.")],
    further: Annotated[
        list[Path] | None, typer.Option("--with", help="Key files that sign too, in order.")
    ] = None,
    attach: Attach = None,
    as_json: AsJson = False,
) -> None:
    """Sign and record one action; print the receipt.

    ACTION.json holds members of the statement, at least type, stream, role and data, and under `open` the
    values to seal by path. What follows from key, clock and log is filled in; so is the digest that
    `eligibility.confirmed` and `record.signed` are over, and what it covers is shown.
    """
    members = parse_body(_read(action, action.name))
    values = members.pop(_OPEN, {})
    if not isinstance(values, dict):
        raise FormatError("ACTION", "expected an object of values by path", field="/open")
    signing = read_key(key).signing_key()
    others = [read_key(path).signing_key() for path in further or ()]
    files = attached(members, attach)
    with opened(directory) as ledger:
        for file in files:
            ledger.store.put_attachment(file.name["sha256"], file.name["media_type"], file.content)
            tell(file)
        cover_of_log(members, ledger)
        signer = Signer.of_log(ledger, signing)
        recorded = ledger.record(signer.submission(ledger, members, values, others))
    show_recorded(recorded, as_json)


def fsck(directory: Directory, as_json: AsJson = False) -> None:
    """Check the storage against its own checkpoints, and what is derived against the log.

    Where the store is damaged so far that it cannot be opened, that is the finding.
    """
    checkers = [point.load()(directory) for point in entry_points(group=CHECKERS)]
    size = 0
    try:
        with opened(directory) as ledger:
            size = ledger.store.head().size
            findings = check_storage(ledger, checkers)
    except StoreError as error:
        if error.code != "STORE_CORRUPT":
            raise
        findings = [Damage(code=error.code, index=None, where="store", detail=error.message)]
    if as_json:
        show({"size": size, "findings": [finding.as_json() for finding in findings]}, as_json=True)
    else:
        for line in told(findings):
            print(line)
        missing = sum(finding.code == "ENTRY_MISSING" for finding in findings)
        read = f"{size} entries read" if not missing else f"{size - missing} of {size} entries read"
        if any(finding.code == "STORE_CORRUPT" for finding in findings):
            read = f"not all of {size} entries could be read" if size else "no entry could be read"
        print(f"{read}, {counted(len(findings), 'finding', 'findings')}")
    if findings:
        raise typer.Exit(1)


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FormatError("ACTION", f"{what} cannot be read") from error
