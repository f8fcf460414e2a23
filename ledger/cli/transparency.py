"""`trust`, `export`, `prove`, `stamp`, `fork`: what an auditor takes away, and what others say of it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from ledger.checkpoint import check_head, parse_body
from ledger.cli.terminal import AsJson, Directory, opened, read_file, say, show
from ledger.committer import Ledger
from ledger.errors import FormatError, RefusedError, StoreError
from ledger.exports import export_ledger
from ledger.merkle import read_frontier
from ledger.note import parse_note
from ledger.policy import format_policy
from ledger.recorded import receipt_of
from ledger.tiles import TileHashes
from ledger.trust import trust_policy
from ledger.verify.files import STAMP
from ledger.verify.options import Scope

_HASH = re.compile(r"[0-9a-f]{64}")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(trust)
    app.command()(export)
    app.command()(stamp)
    app.command()(fork)
    app.command()(prove)


def trust(directory: Directory, as_json: AsJson = False) -> None:
    """Print the trust policy: ledger id and log keys. Compare the id with what was published."""
    with opened(directory) as ledger:
        policy = trust_policy(ledger)
    text = format_policy(policy).decode()
    if as_json:
        show({"ledger_id": policy.ledger_id, "policy": text}, as_json=True)
    else:
        sys.stdout.write(text)


def export(
    directory: Directory,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new directory, or a zip if it ends in .zip.")],
    participant: Annotated[str | None, typer.Option(help="One participant.")] = None,
    site: Annotated[str | None, typer.Option(help="One site.")] = None,
    role: Annotated[str, typer.Option(help="Role that the recipient reads as.")] = "auditor",
    old_size: Annotated[list[int] | None, typer.Option(help="Prove consistency with this size too.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the bundle that `verify` judges, and record that it was made."""
    if participant is not None and site is not None:
        raise FormatError("SCOPE", "expected a participant or a site, not both")
    scope = Scope(kind="study")
    if participant is not None:
        scope = Scope(kind="participant", id=participant)
    elif site is not None:
        scope = Scope(kind="site", id=site)
    with opened(directory) as ledger:
        done = export_ledger(ledger, out, scope=scope, role=role, old_sizes=tuple(old_size or ()))
        _tell_missed(ledger)
    show(
        {
            "out": str(out),
            "scope": str(scope),
            "role": role,
            "size": done.size,
            "files": done.files,
            "manifest_sha256": done.manifest_sha256,
        },
        as_json,
    )


def _tell_missed(ledger: Ledger) -> None:
    """Say who was asked to vouch for the checkpoint and did not."""
    for each in () if ledger.gathering is None else ledger.gathering.missed:
        say(f"not vouched for by {each.name}: {each.code}")


def stamp(directory: Directory, as_json: AsJson = False) -> None:
    """Have the newest checkpoint stamped by the authority of `[timestamps]`; its exports carry the stamp."""
    with opened(directory) as ledger:
        note = ledger.publish()
        if note is None or ledger.gathering is None or ledger.gathering.stamper is None:
            raise FormatError("CONFIG", "expected a ledger with entries and [timestamps]", field="timestamps")
        found = ledger.gathering.beside(note).get(STAMP)
        _tell_missed(ledger)
        if found is None:
            raise StoreError("TSA_UNREACHABLE", "no stamp could be had")
        size = parse_body(parse_note(note).text).size
    if as_json:
        show({"size": size}, as_json=True)
    else:
        print(f"stamped: {size} entries")


def fork(
    directory: Directory,
    note: Annotated[Path, typer.Argument(metavar="NOTE", help="A head or checkpoint that the log signed.")],
    as_json: AsJson = False,
) -> None:
    """Keep a note that proves that this log signed another history; every export carries it from now on."""
    with opened(directory) as ledger:
        data = read_file(note)
        other = check_head(data, ledger.signers.verifier_keys)
        head = ledger.store.head()
        if other.size > head.size or _root_at(ledger, other.size) == other.root or ledger.gathering is None:
            raise RefusedError(
                "FORK_UNFOUNDED", "the note is not of another tree of a size that this log has"
            )
        sha256 = ledger.gathering.kept.put_fork(data)
    if as_json:
        show({"sha256": sha256}, as_json=True)
    else:
        print(sha256)


def _root_at(ledger: Ledger, size: int) -> bytes:
    return read_frontier(size, TileHashes(ledger.store.tile_hashes)).root()


def prove(
    directory: Directory,
    what: Annotated[str, typer.Argument(metavar="INDEX|EVENT-HASH", help="Which entry.")],
    as_json: AsJson = False,
) -> None:
    """Print a receipt: the leaf, its inclusion proof, and a signed head."""
    with opened(directory) as ledger:
        index: int | None
        if _HASH.fullmatch(what):
            index = ledger.store.index_of_event(what)
        elif what.isascii() and what.isdigit() and len(what) <= 15:
            index = int(what)
        else:
            raise FormatError("INDEX", "expected an index or an event hash of 64 hex digits")
        if index is None or index >= ledger.store.head().size:
            raise RefusedError("UNKNOWN_EVENT", "the log has no such event")
        receipt = receipt_of(ledger.store, index).decode()
    if as_json:
        show({"index": index, "receipt": receipt}, as_json=True)
    else:
        sys.stdout.write(receipt)
