"""`signers`, `signing-pages`, `sign`, `enrol`: where keys are held, and signing over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from ledger.cli.terminal import AsJson, Directory, passphrase_for, show
from ledger.directory import KEK, KEYS, read_config
from ledger.lines import encode_base64
from ledger.signing.holding import DOCUMENT, LOG, SERVICE, open_signer, read_pin
from ledger.signing.pkcs11 import make_key_pair, parse_address

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="pkcs11:token=…;object=…?module-path=/…")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    signers = typer.Typer(help="Keys of the log, the service and documents.", no_args_is_help=True)
    signers.command("make")(make_in_token)
    signers.command("check")(check)
    app.add_typer(signers, name="signers")


def make_in_token(
    address: Address,
    alg: Annotated[
        Literal["ed25519", "es256"], typer.Option(help="ed25519 for log and service, es256 for documents.")
    ] = "ed25519",
) -> None:
    """Make a key pair in a token, out of which it never comes."""
    make_key_pair(parse_address(address), read_pin(), alg)


def check(directory: Directory, as_json: AsJson = False) -> None:
    """Have each key sign and check it, as at every start; print where it is and its public point."""
    config, place = read_config(directory), directory / KEYS
    passphrase = passphrase_for(place / KEK)
    rows = {}
    for name in (LOG, SERVICE, DOCUMENT):
        if name in config.signers or (place / f"{name}.json").exists():
            signer = open_signer(name, config.signers, place, passphrase)
            held = config.signers.get(name, f"{KEYS}/{name}.json")
            rows[name] = f"{signer.alg} {encode_base64(signer.public)} {held}"
    show(rows, as_json)
