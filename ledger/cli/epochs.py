"""`epoch freeze`, `epoch open`, `epoch show`: end a log for good, and open the one that goes on from it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from ledger.cli.opening import new_keys
from ledger.cli.terminal import AsJson, Directory, new_passphrase, opened, read_key, say, show
from ledger.continued import continued
from ledger.directory import Config, Predecessor, create, open_store, read_config
from ledger.epochs import Handover, freeze, hand_over, read_marker
from ledger.errors import RefusedError, StoreError
from ledger.genesis import Operator, open_epoch
from ledger.new_directory import new_directory
from ledger.places import Owners
from ledger.prepare import Signer
from ledger.sources import SystemSources
from ledger.store.urls import SQLITE, check_url
from ledger.unblinding_epochs import waiting_before

Why = Annotated[str, typer.Option(help="Why: theft of a log key, change of algorithm, proven fork.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    epochs = typer.Typer(help="Epochs: end a log for good, open the next one.", no_args_is_help=True)
    epochs.command(name="freeze")(freeze_epoch)
    epochs.command(name="open")(open_next)
    epochs.command(name="show")(show_epoch)
    app.add_typer(epochs, name="epoch")


def freeze_epoch(directory: Directory, why: Why, as_json: AsJson = False) -> None:
    """Freeze a ledger for good: nothing is recorded any more; reading, unblinding and export go on."""
    with opened(directory, lazy=True) as ledger:
        found = freeze(directory, ledger, why)
    show({"frozen": str(directory), "at": found.at, "size": found.size, "why": found.why}, as_json)


def open_next(
    directory: Directory,
    new: Annotated[Path, typer.Argument(metavar="NEWDIR", help="A new directory, for the next epoch.")],
    why: Why,
    root_key: Annotated[
        list[Path], typer.Option(help="Key file of a root person of the old log, kept away from the server.")
    ],
    size: Annotated[
        int | None, typer.Option(help="How many entries count; later ones are void (default: all published).")
    ] = None,
    operator: Annotated[str, typer.Option(help="Organisation that runs the service.")] = "",
    store: Annotated[str, typer.Option(help="Store of the new epoch, as for init.")] = SQLITE,
    store_owner: Annotated[str | None, typer.Option(help="As for init.")] = None,
    checkpoints: Annotated[str, typer.Option(help="Its published checkpoints, as for init.")] = SQLITE,
    checkpoints_owner: Annotated[str | None, typer.Option(help="As for init.")] = None,
    data_keys: Annotated[str, typer.Option(help="Its wrapped data keys, as for init.")] = SQLITE,
    data_keys_owner: Annotated[str | None, typer.Option(help="As for init.")] = None,
    plain_keys: Annotated[
        bool, typer.Option(help="Write keys without a passphrase, for trying out.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Open the epoch that goes on from a frozen ledger; prints its ledger id."""
    _check_away(root_key, directory, new)
    for url in (store, checkpoints, data_keys):
        check_url(url)
    with opened(directory, lazy=True) as old:
        handover = hand_over(old, why, size)
    signers = handover.signers([read_key(path).signing_key() for path in root_key])
    passphrase = None if plain_keys else new_passphrase()
    config = Config(
        origin=handover.origin,
        study=handover.study,
        demonstration=read_config(directory).demonstration,
        tokens=(),
        continues=Predecessor(directory=directory.resolve(), size=handover.continues.size),
        store=store,
        checkpoints=checkpoints,
        data_keys=data_keys,
    )
    owners = Owners(store=store_owner, checkpoints=checkpoints_owner, data_keys=data_keys_owner)
    ledger_id = _open(new, config, owners, handover, signers, operator, passphrase)
    show(
        {
            "ledger_id": ledger_id,
            "origin": handover.origin,
            "continues": handover.continues.ledger_id,
            "size": handover.continues.size,
            "root": handover.continues.root,
            "study": handover.study,
        },
        as_json,
    )
    if not as_json:
        say("\nPublish both ledger ids where the first was published. Every person is enrolled again.")
        waits = waiting_before(new)
        if waits:
            say(f"{waits} emergency unblindings of the old epoch wait: `unblindings {new} --key FILE`")


def show_epoch(directory: Directory, as_json: AsJson = False) -> None:
    """Say whether a ledger is frozen for good, and what it goes on from."""
    config, marker = read_config(directory), read_marker(directory)
    before = config.continues
    show(
        {
            "origin": config.origin,
            "frozen": "no" if marker is None else f"{marker.at} at {marker.size} entries: {marker.why}",
            "continues": _said_alone(directory)
            if before is None
            else f"{before.size} entries of {before.directory}",
        },
        as_json,
    )


def _said_alone(directory: Path) -> str:
    """Say what leaf 0 continues where `ledger.toml` names no directory of it."""
    with closing(open_store(directory)) as store:
        older = continued(store)
    return "nothing" if older is None else f"{older}; ledger.toml names no directory of it"


def _open(
    new: Path,
    config: Config,
    owners: Owners,
    handover: Handover,
    signers: list[Signer],
    operator: str,
    passphrase: str | None,
) -> str:
    sources, keys = SystemSources(), new_keys(SystemSources())
    with (
        new_directory(new),
        closing(create(new, config, keys, passphrase, sources, owners=owners)) as ledger,
    ):
        return open_epoch(
            ledger,
            signers,
            handover.continues,
            root_keys=handover.roots,
            threshold=handover.threshold,
            study=handover.study,
            service_key=keys.service.signing_key(),
            operator=Operator(name="Ledger service", organisation=operator or signers[0].organisation),
        )


def _check_away(files: list[Path], *directories: Path) -> None:
    """Require root keys that lie in neither ledger's directory (record-format.md §6).

    Raises:
        RefusedError: `ROOT_KEY_ON_SERVER`.
        StoreError: `KEY_MISSING`.
    """
    for file in files:
        if not file.is_file():
            raise StoreError("KEY_MISSING", "expected the file of a root key", field="--root-key")
        if any(file.resolve().is_relative_to(each.resolve()) for each in directories):
            raise RefusedError(
                "ROOT_KEY_ON_SERVER",
                "expected a root key that is kept away from the ledgers",
                field="--root-key",
            )
