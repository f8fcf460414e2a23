"""What commands share: passphrases, opening a ledger, and printing for people or for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from ledger.committer import Ledger
from ledger.directory import KEK, KEYS, open_ledger
from ledger.errors import LedgerError, StoreError
from ledger.keyfile import KeyMaterial, load_key, needs_passphrase
from ledger.settings import Settings, read_settings
from ledger.sources import SystemSources

if TYPE_CHECKING:
    from ledger.recorded import Recorded
    from ledger.signing.client import Receipt

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The ledger's directory.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
AlwaysJson = Annotated[bool, typer.Option("--json", help="What is printed is JSON anyway.")]


def settings() -> Settings:
    """Read the environment's settings."""
    return read_settings(os.environ)


def passphrase_for(path: Path) -> str | None:
    """Return the passphrase of a key file: none where it needs none, else from the file named, or asked for.

    Raises:
        LedgerError: `KEY_PASSPHRASE` where nobody can be asked.
    """
    if not needs_passphrase(path):
        return None
    given = settings().passphrase()
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise LedgerError("KEY_PASSPHRASE", "expected a passphrase file or a terminal to ask on")
    return str(typer.prompt(f"Passphrase of {path.name}", hide_input=True, err=True))


def new_passphrase() -> str:
    """Return the passphrase that new key files get.

    Raises:
        LedgerError: `KEY_PASSPHRASE` where nobody can be asked.
    """
    given = settings().passphrase()
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise LedgerError("KEY_PASSPHRASE", "expected a passphrase file, a terminal, or --plain-keys")
    return str(
        typer.prompt("Passphrase for the new keys", hide_input=True, confirmation_prompt=True, err=True)
    )


def read_key(path: Path) -> KeyMaterial:
    """Read a person's key file, asking for its passphrase where it needs one."""
    return load_key(path, passphrase_for(path))


@contextmanager
def opened(directory: Path, *, lazy: bool = False) -> Iterator[Ledger]:
    """Open a ledger for one command; publish and close it after.

    `lazy` is for one that mostly needs to know who somebody is, and maybe nothing of conduct.
    """
    keys = directory / KEYS / KEK
    passphrase = passphrase_for(keys) if keys.exists() else None
    ledger = open_ledger(directory, passphrase, SystemSources(), lazy=lazy)
    try:
        yield ledger
    finally:
        ledger.close()


def read_file(path: Path) -> bytes:
    """Return the bytes of a file that was named.

    Raises:
        StoreError: `SOURCE_FILE`.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError("SOURCE_FILE", f"{path.name} cannot be read") from error


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON for people."""
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def show(value: Mapping[str, Any], as_json: bool) -> None:
    """Print members one a line for people, or as one JSON object."""
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_SORT_KEYS) + b"\n")
        sys.stdout.buffer.flush()
        return
    width = max(len(name) for name in value)
    for name, each in value.items():
        items = each if isinstance(each, list | tuple) else [each]
        text = ", ".join("-" if item is None else str(item) for item in items)
        print(f"{name.replace('_', ' '):<{width}}  {text}")


def show_recorded(recorded: Recorded | Receipt, as_json: bool) -> None:
    """Print the receipt of what was recorded, and tell what else a person wants to know of it."""
    if as_json:
        members = {"index": recorded.index, "event": recorded.event, "receipt": recorded.receipt.decode()}
        show({**members, "breaches": list(recorded.breaches)}, as_json=True)
        return
    say(f"recorded at index {recorded.index}, event {recorded.event}")
    for rule in recorded.breaches:
        say(f"and with it a breach: {rule}")
    print(recorded.receipt.decode(), end="")


def say(text: str) -> None:
    """Tell a person on standard error, where it does not mix with what is printed for programs."""
    print(text, file=sys.stderr)
