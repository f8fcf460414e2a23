"""`trial-ledger witness`: be the witness of somebody's log (c2sp.org/tlog-witness).

    witness init DIR --name witness.example/w1      its key and its memory; prints its verifier key
    witness add-log DIR POLICY                      the logs of a trust policy, by origin
    witness show DIR                                verifier key, logs, newest cosigned checkpoints
    witness evidence DIR [OUT]                      requests that a log signed and that do not fit
    witness serve DIR [--host H] [--port P]         in `api.commands`

A witness whose memory was lost or put back to an older copy is retired: started again, it could vouch for two
histories.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from ledger.cli.terminal import AsJson, new_passphrase, passphrase_for, say, show
from ledger.errors import FormatError, StoreError
from ledger.keyfile import Holder, KeyMaterial, load_key, write_key
from ledger.keys import ED25519
from ledger.lines import counted, encode_base64
from ledger.new_directory import new_directory
from ledger.new_file import new_file, unwritable
from ledger.note import Ed25519Cosigner, VerifierKey, format_vkey
from ledger.policy import MAX_POLICY_BYTES, parse_policy
from ledger.sources import SystemSources
from ledger.witness.store import WitnessStore
from ledger.witness.witness import Witness

KEY: Final = "witness.json"
MEMORY: Final = "witness.db"

Place = Annotated[Path, typer.Argument(metavar="DIR", help="The witness's directory.")]


def register(app: typer.Typer) -> typer.Typer:
    """Add the group of commands; return it."""
    group = typer.Typer(help="Be a witness of logs.", no_args_is_help=True, rich_markup_mode=None)
    group.command("init")(init)
    group.command("add-log")(add_log)
    group.command("show")(show_witness)
    group.command("evidence")(evidence)
    app.add_typer(group, name="witness")
    return group


def init(
    directory: Place,
    name: Annotated[str, typer.Option(help="Name of the witness, an address without scheme.")],
    plain_keys: Annotated[bool, typer.Option("--plain-keys", help="For trying out: no passphrase.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the key and the memory of a new witness."""
    secret = os.urandom(32)
    key = Ed25519Cosigner(name, secret).key
    material = KeyMaterial(alg=ED25519, secret=secret, holder=Holder(name=name))
    with new_directory(directory, what="a witness", code="STORE_EXISTS"):
        passphrase = None if plain_keys else new_passphrase()
        write_key(directory / KEY, material, passphrase)
        WitnessStore.create(directory / MEMORY).close()
    show({"witness": format_vkey(key)}, as_json)


def add_log(
    directory: Place,
    policy: Annotated[
        Path, typer.Argument(metavar="POLICY", help="A trust policy that lists the log's keys.")
    ],
    as_json: AsJson = False,
) -> None:
    """Cosign for the logs of a policy from now on; keys of a known log are replaced."""
    try:
        data = policy.read_bytes()[: MAX_POLICY_BYTES + 1]
    except OSError as error:
        raise StoreError("SOURCE_FILE", f"{policy.name} cannot be read") from error
    logs: dict[str, list[VerifierKey]] = {}
    for key in parse_policy(data).log_keys:
        logs.setdefault(key.name, []).append(key)
    if not logs:
        raise FormatError("POLICY", "expected a log in the policy")
    with _opened(directory) as store:
        for origin, keys in logs.items():
            store.add_log(origin, tuple(keys))
    if as_json:
        show({"logs": {origin: [format_vkey(key) for key in keys] for origin, keys in logs.items()}}, as_json)
        return
    for origin, keys in logs.items():
        say(f"{origin}: {counted(len(keys), 'key', 'keys')}")


def show_witness(directory: Place, as_json: AsJson = False) -> None:
    """Print what the witness is, and what it cosigned last."""
    with opened_witness(directory) as witness:
        value: dict[str, object] = {"witness": format_vkey(witness.signer.key)}
        for origin in witness.store.logs():
            newest = witness.store.newest(origin)
            value[origin] = (
                "nothing cosigned" if newest is None else f"{newest.size} {encode_base64(newest.root)}"
            )
        show(value, as_json)


def evidence(
    directory: Place,
    out: Annotated[
        Path | None, typer.Argument(metavar="OUT", help="A new directory for the requests.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the requests that a log signed and that do not fit; write them where OUT is named."""
    with _opened(directory) as store:
        kept = store.evidence()
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(out, error) from error
    rows: list[dict[str, object]] = []
    for number, each in enumerate(kept):
        rows.append({"number": number, "origin": each.origin, "time_s": each.time_s, "status": each.status})
        if out is not None:
            path = out / f"{number:04}.add-checkpoint"
            with new_file(path, replace=True) as file:
                file.write(each.request)
            rows[-1]["file"] = str(path)
    if as_json:
        show({"evidence": rows}, as_json)
        return
    for row in rows:
        print(f"{row['number']}  {row['origin']}  {row['time_s']}  {row['status']}")
    if not rows:
        say("nothing was refused that a log had signed")


@contextmanager
def opened_witness(directory: Path) -> Iterator[Witness]:
    """Open a witness with its key for one command.

    Raises:
        StoreError: STORE_MISSING, KEY_FILE_MISSING, and what opening raises.
    """
    with _opened(directory) as store:
        key = load_key(directory / KEY, passphrase_for(directory / KEY))
        if key.alg != ED25519 or key.holder.name is None:
            raise FormatError("KEY_FILE", "expected the Ed25519 key of a witness, with its name")
        yield Witness(store, Ed25519Cosigner(key.holder.name, key.secret), SystemSources())


@contextmanager
def _opened(directory: Path) -> Iterator[WitnessStore]:
    store = WitnessStore(directory / MEMORY)
    try:
        yield store
    finally:
        store.close()
