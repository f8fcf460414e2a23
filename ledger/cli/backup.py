"""`backup`, `restore`, `restore-check`: a ledger's directory copied, put back, and tried (docs/backup.md)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer

from ledger.backup.restoring import Into, restore
from ledger.backup.taking import KEY_FILES, data_keys_beside, take
from ledger.backup.trying import try_restore
from ledger.cli.keeping import CHECKERS
from ledger.cli.terminal import AsJson, Directory, opened, passphrase_for, say, show
from ledger.committer import Ledger
from ledger.directory import CHECKPOINTS, KEK, KEYS
from ledger.errors import FormatError
from ledger.fsck import Checker
from ledger.keyfile import needs_passphrase
from ledger.places import Owners
from ledger.store.urls import SQLITE

Backup = Annotated[Path, typer.Argument(metavar="BACKUP", help="The directory of a backup.")]
DataKeys = Annotated[
    Path | None, typer.Option(help="Its data keys; without it BACKUP.datakeys.db.", metavar="FILE")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backup")(take_backup)
    app.command("restore-check")(check_backup)
    app.command("restore")(restore_backup)


def take_backup(
    directory: Directory,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new directory.")],
    data_keys: Annotated[
        Path | None,
        typer.Option(help="Where the data keys go, apart; without it OUT.datakeys.db.", metavar="FILE"),
    ] = None,
    location: Annotated[
        str | None, typer.Option(help="Where it is kept, for who has to find it; without it OUT.")
    ] = None,
    destroyed: Annotated[
        list[str] | None, typer.Option(help="Event of an earlier backup that was destroyed.", metavar="EVENT")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy a ledger while it is written to, and record `backup.taken`.

    Published checkpoints stay out: put back with the events they would hide what those lack. Keep them and
    the data keys on other media than OUT.
    """
    with opened(directory) as ledger:
        taken = take(
            ledger, directory, out, data_keys=data_keys, location=location, destroyed=destroyed or ()
        )
    plain = [
        name for name in KEY_FILES if (out / KEYS / name).exists() and not needs_passphrase(out / KEYS / name)
    ]
    if plain:
        say(f"without a passphrase: {', '.join(plain)}; this backup and its data keys open everything")
    if taken.index is None:
        say("the ledger is frozen: the backup is not in the log")
    show(
        {
            "backup": taken.manifest.backup,
            "entries": taken.manifest.size,
            "root": taken.manifest.root,
            "checkpoint": taken.manifest.checkpoint,
            "manifest_sha256": taken.sha256,
            "data_keys": str(data_keys_beside(out) if data_keys is None else data_keys),
            "index": taken.index,
        },
        as_json,
    )


def check_backup(
    backup: Backup,
    ledger: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The live ledger: compared with, and recorded in.")
    ] = None,
    data_keys: DataKeys = None,
    work: Annotated[
        Path | None, typer.Option(metavar="DIR", help="An empty place, kept; without it a temporary one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Restore a backup to an empty place, check and verify it up to its checkpoint, record `restore.tested`.

    Ends with 1 where something is wrong; that is recorded too.
    """
    apart = data_keys_beside(backup) if data_keys is None else data_keys
    kek = backup / KEYS / KEK
    passphrase = passphrase_for(kek) if kek.exists() else None
    with _working(work) as place, _live(ledger) as live:
        tried = try_restore(
            backup, place, data_keys=apart, passphrase=passphrase, checkers=_checkers, live=live
        )
    for problem in tried.problems:
        say(problem)
    if tried.recorded is None:
        say("not recorded: name the live ledger with --ledger" if ledger is None else "not recorded: frozen")
    show(
        {
            "backup": tried.manifest.backup,
            "outcome": "passed" if tried.passed else "failed",
            "entries": tried.size,
            "root": tried.root.hex(),
            "index": tried.recorded,
        },
        as_json,
    )
    if not tried.passed:
        raise typer.Exit(1)


def restore_backup(
    backup: Backup,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty directory.")],
    checkpoints: Annotated[
        str | None,
        typer.Option(metavar="FILE|URL", help=f"{CHECKPOINTS} as it was kept, the newest; or their schema."),
    ] = None,
    checkpoints_lost: Annotated[
        bool, typer.Option(help="They are lost: begin again with the backup's own.")
    ] = False,
    data_keys: DataKeys = None,
    store: Annotated[
        str, typer.Option(metavar="URL", help="Where the events go: sqlite: or a schema of PostgreSQL.")
    ] = SQLITE,
    store_owner: Annotated[
        str | None, typer.Option(metavar="URL", help="Who makes it; without it it is there, and empty.")
    ] = None,
    keys_store: Annotated[
        str,
        typer.Option(metavar="URL", help="The data keys: sqlite: or a schema of another cluster."),
    ] = SQLITE,
    keys_owner: Annotated[str | None, typer.Option(metavar="URL", help="Who makes that.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a ledger's directory of a backup: with files, or with schemas of PostgreSQL.

    Beside the checkpoints that were kept a log that lacks what was published opens frozen.
    """
    if (checkpoints is None) != checkpoints_lost:
        raise FormatError(
            "SETTING", "expected the checkpoints that were kept, or that they are lost", field="--checkpoints"
        )
    apart = data_keys_beside(backup) if data_keys is None else data_keys
    schema = checkpoints is not None and checkpoints.startswith(("postgresql:", "postgres:"))
    into = Into(
        store=store,
        checkpoints=checkpoints if checkpoints is not None and schema else SQLITE,
        data_keys=keys_store,
        owners=Owners(store=store_owner, data_keys=keys_owner),
    )
    kept = None if checkpoints is None or schema else Path(checkpoints)
    manifest = restore(backup, directory, data_keys=apart, checkpoints=kept, into=into)
    say(f"next: trial-ledger fsck {directory}, trial-ledger doctor {directory}")
    if checkpoints_lost:
        say("what was recorded after this backup is missing, and only who kept a receipt can show it")
    show({"backup": manifest.backup, "entries": manifest.size, "directory": str(directory)}, as_json)


@contextmanager
def _working(work: Path | None) -> Iterator[Path]:
    if work is not None:
        yield work
        return
    with tempfile.TemporaryDirectory(prefix="trial-ledger-restore-") as place:
        yield Path(place)


@contextmanager
def _live(directory: Path | None) -> Iterator[Ledger | None]:
    if directory is None:
        yield None
        return
    with opened(directory) as ledger:
        yield ledger


def _checkers(directory: Path) -> Sequence[Checker]:
    return [point.load()(directory) for point in entry_points(group=CHECKERS)]
