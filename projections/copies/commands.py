"""Commands: `copy-key` once, `copy` to issue a certified copy, `copy-check` to compare one later.

What sets and signs pages is imported when one is made: every other command is quicker without it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ledger.cli.terminal import AsJson, Directory, opened, passphrase_for, read_file, say, show
from ledger.directory import KEK, KEYS, open_store, read_config
from ledger.epochs import MARKER
from ledger.errors import FormatError
from ledger.new_file import new_file
from ledger.sources import SystemSources
from ledger.verify.options import Scope

if TYPE_CHECKING:
    from projections.copies.checking import Checked
    from projections.copies.issuing import Format
    from projections.copies.signing import DocumentSigner

PURPOSE: Final = "certified_copy"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("copy-key")(make_key)
    app.command("copy")(copy)
    app.command("copy-check")(check)


def make_key(
    directory: Directory,
    organisation: Annotated[str, typer.Option(help="Who issues the copies, as the certificate says.")],
    as_json: AsJson = False,
) -> None:
    """Make the key that signs certified copies, P-256, with its certificate and the anchor of that."""
    from projections.copies.signing import CERTIFICATE, make_document_key

    config = read_config(directory)
    made = make_document_key(
        directory / KEYS,
        config.signers,
        passphrase_for(directory / KEYS / KEK),
        SystemSources(),
        organisation=organisation,
        origin=config.origin,
    )
    show({"certificate": str(directory / KEYS / CERTIFICATE), "anchor_sha256": made.fingerprint}, as_json)


def copy(
    directory: Directory,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new file that ends in .pdf or .zip.")],
    to: Annotated[str, typer.Option(metavar="PERSON", help="Whom it is issued to, by their id in the log.")],
    role: Annotated[str, typer.Option(help="A role that they hold: it decides what stays sealed.")],
    participant: Annotated[str | None, typer.Option(help="Of one participant.")] = None,
    site: Annotated[str | None, typer.Option(help="Of one site.")] = None,
    purpose: Annotated[str, typer.Option(help="Why, a code; the event keeps it.")] = PURPOSE,
    as_json: AsJson = False,
) -> None:
    """Issue a certified copy of a participant, a site or the study: readable alone, or with every form."""
    from projections.copies.issuing import Wanted, issue_copy

    scope, format_ = _scope(participant, site), _format(out)
    document = document_of(directory)
    wanted = Wanted(
        scope=scope,
        role=role,
        held=role,
        who=to,
        purpose=purpose,
        format=format_,
        study=read_config(directory).study,
    )
    with new_file(out) as file, opened(directory) as ledger:

        def keep(data: bytes) -> None:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

        issued = issue_copy(ledger, document, wanted, keep)
    show(
        {
            "index": issued.index,
            "event": issued.event,
            "sha256": issued.sha256,
            "size": issued.size,
            "records": issued.records,
            **issued.verdicts,
            **({} if issued.lacks is None else {"not_whole": issued.lacks}),
        },
        as_json,
    )


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy, as it was handed out.")],
    directory: Annotated[Path | None, typer.Option("--dir", help="The ledger's directory.")] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="A later export instead, of a role that sees the access log.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a copy is what was issued, and whether its records were changed since."""
    from projections.copies.bundled import open_copy
    from projections.copies.checking import check_copy

    if (directory is None) == (bundle is None):
        raise FormatError("SCOPE", "expected either --dir or --bundle")
    data = read_file(file)
    if directory is not None:
        store = open_store(directory)
        try:
            with store.snapshot() as reads:
                if (directory / MARKER).exists():
                    say("this log has ended: ask the one that goes on from it what was recorded since")
                checked = check_copy(data, reads)
        finally:
            store.close()
    elif bundle is not None:
        say("A bundle is evidence once it is verified: trial-ledger verify.")
        with open_copy(bundle) as source:
            checked = check_copy(data, source.reads)
    show(_said(checked), as_json)
    if not checked.matches:
        raise typer.Exit(1)


def document_of(directory: Path) -> DocumentSigner:
    """Open the key of documents of a ledger's directory.

    Raises:
        StoreError: `DOCUMENT_KEY` where none was made; what the key raises.
    """
    from projections.copies.signing import open_document_signer

    keys = directory / KEYS
    passphrase = passphrase_for(keys / KEK)
    return open_document_signer(keys, read_config(directory).signers, passphrase)


def _said(checked: Checked) -> dict[str, Any]:
    data = checked.data
    changed = [f"{each.index} {each.type} about {each.about}" for each in checked.changed]
    return {
        "sha256": checked.sha256,
        "issued": f"index {checked.index}, {checked.at}, to {data['who']} as {data['role']}",
        **({} if checked.log is None else {"log": checked.log}),
        "scope": str(checked.scope),
        "size_then": data["size"],
        "size_now": checked.size,
        "records_since": len(checked.since),
        "changed_since": changed or "nothing",
        "matches": "yes" if checked.matches else "no: what it shows was changed since",
    }


def _scope(participant: str | None, site: str | None) -> Scope:
    if participant is not None and site is not None:
        raise FormatError("SCOPE", "expected a participant or a site, not both")
    if participant is not None:
        return Scope(kind="participant", id=participant)
    return Scope(kind="study") if site is None else Scope(kind="site", id=site)


def _format(out: Path) -> Format:
    match out.suffix:
        case ".pdf":
            return "pdf"
        case ".zip":
            return "zip"
    raise FormatError("FORMAT", "expected a file that ends in .pdf or .zip", field="OUT")
