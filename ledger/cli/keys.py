"""`keys make` and `keys show`: a key of one's own, and the object by which it is enrolled."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from ledger.actions.accounts import Grade
from ledger.cli.terminal import AlwaysJson, new_passphrase, read_key, show
from ledger.genesis import key_object
from ledger.keyfile import Holder, KeyMaterial, write_key
from ledger.sources import SystemSources

KeyFile = Annotated[Path, typer.Argument(metavar="FILE", help="The key file.")]
Person = Annotated[str, typer.Option(help="Id of the person whose key it is.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    keys = typer.Typer(help="Keys of people: make one, show how it is enrolled.", no_args_is_help=True)
    keys.command()(make)
    keys.command(name="show")(show_key)
    app.add_typer(keys, name="keys")


def make(
    file: KeyFile,
    person: Person,
    alg: Annotated[Literal["ed25519", "es256", "ml-dsa-65"], typer.Option(help="Algorithm.")] = "ed25519",
    plain: Annotated[bool, typer.Option(help="Write it without a passphrase, for trying out.")] = False,
    _: AlwaysJson = True,
) -> None:
    """Make a key in a new file of mode 0600, and print the object by which it is enrolled."""
    material = KeyMaterial(alg=alg, secret=SystemSources().random_bytes(32), holder=Holder(person=person))
    write_key(file, material, None if plain else new_passphrase())
    _print(material, person, "client")


def show_key(
    file: KeyFile,
    person: Person,
    grade: Annotated[Literal["client", "device"], typer.Option(help="Grade to enrol it with.")] = "client",
    _: AlwaysJson = True,
) -> None:
    """Print the object by which a key is enrolled; the key itself is never printed."""
    _print(read_key(file), person, grade)


def _print(material: KeyMaterial, person: str, grade: str) -> None:
    key = asdict(key_object(material.signing_key(), person, cast(Grade, grade)))
    show({name: value for name, value in key.items() if value is not None}, as_json=True)
