"""`randomization`: seeds, the list made away from the server, and its slots handed to the server (§8)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger import canonical
from ledger.actions.randomization import SeedCommitted
from ledger.allocation import keep_slots
from ledger.cli.terminal import AsJson, Directory, opened, read_key, say, show
from ledger.committer import Ledger
from ledger.errors import FormatError, RefusedError, StoreError
from ledger.lines import encode_base64, parse_base64
from ledger.listholder import (
    CODE,
    MAX_FILE_BYTES,
    commit_action,
    make,
    open_slots,
    opening_action,
    read_committed,
    read_list,
    seal_slots,
    slot_key,
    write_list,
)
from ledger.prepare import Signer
from ledger.sources import SystemSources
from ledger.statement import parse_statement

CONTRIBUTORS = ("list_holder", "unblinded_statistician", "sponsor_administrator")

ListName = Annotated[str, typer.Option("--list", help="The list's name.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Randomization lists: seeds, making, slots.", no_args_is_help=True)
    group.command(name="commit-seed")(commit_seed)
    group.command(name="slot-key")(print_slot_key)
    group.command(name="make-list")(make_list)
    group.command(name="load-slots")(load_slots)
    app.add_typer(group, name="randomization")


def commit_seed(
    directory: Directory,
    name: ListName,
    key: Annotated[Path, typer.Option(help="The contributor's key file.")],
    out: Annotated[Path, typer.Option(help="A new file of mode 0600 for the seed, which stays secret.")],
    as_json: AsJson = False,
) -> None:
    """Draw a seed, keep it in a file of one's own, and commit to its hash."""
    seed = SystemSources().random_bytes(32)
    signing = read_key(key).signing_key()
    with opened(directory) as ledger:
        signer = Signer.of_log(ledger, signing)
        authority = ledger.refresh().authority
        held = [role for role in CONTRIBUTORS if authority.holds(signer.person, role, None)]
        if not held:
            raise RefusedError("ROLE_NOT_HELD", "expected somebody who may contribute a seed")
        _write_new(out, canonical.encode({"list": name, "seed": encode_base64(seed)}))
        action = SeedCommitted(list=name, sha256=hashlib.sha256(seed).hexdigest())
        recorded = signer.record(
            ledger, action, stream=f"randomization/{name}", role=held[0], meaning="authorship"
        )
    show({"index": recorded.index, "event": recorded.event, "seed": str(out)}, as_json)


def print_slot_key(directory: Directory, as_json: AsJson = False) -> None:
    """Print the key that the list's holder seals slots to."""
    with opened(directory) as ledger:
        key = slot_key(ledger.service.secret)
    if as_json:
        show({"slot_key": key}, as_json)
    else:
        print(key)


def make_list(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="An export of the study, verified.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new directory, for the holder alone.")],
    name: ListName,
    seed: Annotated[list[Path], typer.Option(help="Each contributor's seed file.")],
    block_size: Annotated[list[int], typer.Option(help="The sealed block sizes, in order.")],
    to: Annotated[str, typer.Option("--slot-key", help="The server's slot key.")],
    first: Annotated[
        Path | None, typer.Option(help="list.json of the first list, for a second stage.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="The witness's checkpoint, where one is named.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a list away from the server: four files, of which one goes to the server.

    list.json is the holder's own. commit.json is signed with `record` before the first enrolment, slots.json
    handed in with `load-slots`; opening.json is kept secret until the database is locked.
    """
    committed = read_committed(bundle, name, _read(checkpoint) if checkpoint is not None else None)
    entries = read_list(_read(first)) if first is not None else ()
    made = make(committed, [_seed(path, name) for path in seed], block_size, entries)
    try:
        out.mkdir(mode=0o700, parents=True)
    except FileExistsError as error:
        raise StoreError("STORE_EXISTS", "expected no directory for the list, found one") from error
    files = {
        "list.json": write_list(made, committed),
        "commit.json": canonical.encode(commit_action(made, committed)),
        "slots.json": seal_slots(made, committed, to),
        "opening.json": canonical.encode(opening_action(made, committed)),
    }
    for each, data in files.items():
        _write_new(out / each, data)
    root = encode_base64(made.list.root)
    show({"list": name, "size": made.list.size, "root": root, "out": str(out)}, as_json)
    if not as_json:
        say("Only commit.json and slots.json leave this place before the list is opened.")


def load_slots(
    directory: Directory,
    slots: Annotated[Path, typer.Argument(metavar="SLOTS.json", help="What make-list wrote for the server.")],
    as_json: AsJson = False,
) -> None:
    """Keep the sealed slots of a committed list, each checked against the list's root."""
    data = _read(slots)
    with opened(directory) as ledger:
        name, count = load(ledger, data)
    show({"list": name, "slots": count}, as_json)


def load(ledger: Ledger, data: bytes) -> tuple[str, int]:
    """Check an upload against the committed list, and keep its slots under the ledger's data keys.

    Raises:
        RefusedError: `LIST_NOT_COMMITTED`.
        FormatError, ProofError: the slots are not those of the list.
    """
    value: Any = canonical.decode(data)
    name = value.get("list") if isinstance(value, dict) else None
    known = ledger.refresh().conduct.study.lists.get(name) if isinstance(name, str) else None
    if known is None or known.committed is None:
        raise RefusedError("LIST_NOT_COMMITTED", "the randomization list is not committed")
    stored = ledger.store.entry(known.committed)
    if stored is None:
        raise StoreError("STORE_CORRUPT", "the list's commitment is not in the store")
    committed = parse_statement(stored.statement).data
    root = parse_base64(committed["root"], what="the list's root", code="STORE_CORRUPT")
    listed, slots = open_slots(data, ledger.service.secret, ledger.origin, root, committed["size"])
    keep_slots(ledger.store, ledger.data_keys, listed, slots)
    return listed, len(slots)


def _seed(path: Path, name: str) -> bytes:
    value: Any = canonical.decode(_read(path))
    if not isinstance(value, dict) or value.get("list") != name:
        raise FormatError(CODE, "expected a seed for this list")
    return parse_base64(str(value.get("seed")), what="a seed", code=CODE)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise FormatError(CODE, f"{path.name} cannot be read") from error
    if len(data) > MAX_FILE_BYTES:
        raise FormatError(CODE, f"{path.name} is too large")
    return data


def _write_new(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, and that was not there before."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError as error:
        raise StoreError("STORE_EXISTS", f"expected no file {path.name}, found one") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
