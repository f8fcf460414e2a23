"""`init` and `demo`: the only commands that make a ledger; `migrate` brings a store's tables up to date."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from ledger import canonical
from ledger.actions.fields import Name
from ledger.actions.shapes import kind_of
from ledger.cli.terminal import AsJson, Directory, new_passphrase, say, settings, show
from ledger.committer import Ledger
from ledger.demo import play_demo
from ledger.directory import (
    KEK,
    KEYS,
    LOG_KEY,
    LOG_PQ_KEY,
    SERVICE_KEY,
    Config,
    NewKeys,
    create,
    read_config,
)
from ledger.errors import FormatError, StoreError
from ledger.genesis import Operator, open_log
from ledger.keyfile import Holder, KeyMaterial, write_key
from ledger.keys import SigningKey
from ledger.new_directory import new_directory
from ledger.places import Owners, migrate_places
from ledger.prepare import Signer
from ledger.signing.holding import SERVICE, open_signer, read_signers
from ledger.signing.port import HeldKey
from ledger.sources import Sources, SystemSources
from ledger.statement import is_origin
from ledger.store.urls import SQLITE, check_url, migrate_store
from ledger.study.definition import StudyDefinition, load
from ledger.study.plain import written

_PERSON = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_TAKEN = frozenset({"service", *(Path(name).stem for name in (LOG_KEY, LOG_PQ_KEY, SERVICE_KEY, KEK))})
"""Ids that the service has, or whose key file would take the place of one of the ledger's."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(init)
    app.command()(demo)
    app.command()(migrate)


def init(
    directory: Directory,
    study: Annotated[Path, typer.Option(help="The study definition, plain or labelled.")],
    person: Annotated[str, typer.Option(help="Id of the first root person.")],
    name: Annotated[str, typer.Option(help="Printed name of that person.")],
    organisation: Annotated[str, typer.Option(help="Organisation of that person.")],
    origin: Annotated[
        str | None, typer.Option(help="Name of the log; opaque where the trial is secret.")
    ] = None,
    store: Annotated[
        str, typer.Option(help="Store: sqlite: or postgresql://WRITER@HOST/DATABASE?schema=NAME")
    ] = SQLITE,
    store_owner: Annotated[
        str | None, typer.Option(help="The same as the role that makes and owns the tables; kept nowhere.")
    ] = None,
    checkpoints: Annotated[
        str, typer.Option(help="Published checkpoints: sqlite: or a schema of another cluster.")
    ] = SQLITE,
    checkpoints_owner: Annotated[str | None, typer.Option(help="As --store-owner.")] = None,
    data_keys: Annotated[
        str, typer.Option(help="Wrapped data keys: sqlite: or a schema of another cluster.")
    ] = SQLITE,
    data_keys_owner: Annotated[str | None, typer.Option(help="As --store-owner.")] = None,
    signer: Annotated[
        list[str] | None, typer.Option(help="A key held in a token, log=ADDRESS or service=ADDRESS.")
    ] = None,
    plain_keys: Annotated[
        bool, typer.Option(help="Write keys without a passphrase, for trying out.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a new ledger: keys, genesis, service. Prints the ledger id."""
    signers = _signers(signer or ())
    for url in (store, checkpoints, data_keys):
        check_url(url)
    if _PERSON.fullmatch(person) is None or person in _TAKEN:
        raise FormatError(
            "PERSON", "expected an id of letters, digits, dot, dash, underscore", field="--person"
        )
    for option, text in (("--name", name), ("--organisation", organisation)):
        _check_printed(text, option)
    definition = _definition(study)
    log_origin = origin or f"ledger.local/{definition.study.lower()}"
    if not is_origin(log_origin):
        raise FormatError("ORIGIN", "expected an origin such as ledger.example/study-1", field="--origin")
    passphrase = None if plain_keys else new_passphrase()
    sources = SystemSources()
    config = Config(
        origin=log_origin,
        study=definition.study,
        demonstration=False,
        tokens=(),
        store=store,
        checkpoints=checkpoints,
        data_keys=data_keys,
    )
    owners = Owners(store=store_owner, checkpoints=checkpoints_owner, data_keys=data_keys_owner)
    config = replace(config, signers=signers)
    root = make_key(
        "ed25519", sources, Holder(person=person, name=name, organisation=organisation, origin=log_origin)
    )
    keys = new_keys(sources)
    service_key = _service_key(keys, signers)
    key_file = directory / KEYS / f"{person}.json"
    with new_directory(directory):
        ledger = create(directory, config, keys, passphrase, sources, owners=owners)
        with closing(ledger):
            write_key(key_file, root, passphrase)
            ledger_id = _open(ledger, root, service_key, definition, person, name, organisation)
    show(
        {
            "ledger_id": ledger_id,
            "origin": log_origin,
            "study": definition.study,
            "root_key": str(key_file),
        },
        as_json,
    )
    if not as_json:
        say("\nPublish the ledger id in the protocol or the trial master file: it is what auditors pin.")
        say(f"Keep {key_file} away from this machine.")


def demo(
    directory: Directory,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same log.")] = 1,
    store: Annotated[
        str, typer.Option(help="Store: sqlite: or postgresql://WRITER@HOST/DATABASE?schema=NAME")
    ] = SQLITE,
    store_owner: Annotated[
        str | None, typer.Option(help="The same as the role that makes and owns the tables; kept nowhere.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a ledger and play the whole reference study, deterministically for a seed."""
    settings()
    check_url(store)
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        tasks: dict[str, int] = {}

        def advance(step: str, done: int, total: int) -> None:
            task = tasks.get(step)
            if task is None:
                task = tasks[step] = int(progress.add_task(step, total=total))
            progress.update(progress.task_ids[task], completed=done, total=total)

        try:
            report = play_demo(directory, seed, progress=advance, store=store, owner=store_owner)
        except KeyboardInterrupt:
            say(f"{directory} holds what was played so far: remove it to begin anew")
            raise
    if as_json:
        show(report.as_json(), as_json=True)
    else:
        print(report.as_text())
    if not report.verified:
        raise typer.Exit(1)


def migrate(
    directory: Directory,
    store_owner: Annotated[
        str | None, typer.Option(help="Store URL of the role that owns the tables.")
    ] = None,
    checkpoints_owner: Annotated[str | None, typer.Option(help="The same of the checkpoints.")] = None,
    data_keys_owner: Annotated[str | None, typer.Option(help="The same of the data keys.")] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the tables of PostgreSQL schemas up to this version; forward only."""
    config = read_config(directory)
    if store_owner is checkpoints_owner is data_keys_owner is None:
        raise FormatError("STORE_URL", "expected the URL of an owner", field="--store-owner")
    applied = () if store_owner is None else migrate_store(config.store, store_owner)
    apart = migrate_places((config.checkpoints, checkpoints_owner), (config.data_keys, data_keys_owner))
    done = [*applied, *apart]
    show({"applied": done if done or as_json else "nothing: the tables are of this version"}, as_json)


def new_keys(sources: Sources) -> NewKeys:
    """Make the keys that a ledger starts with."""
    holder = Holder()
    return NewKeys(
        log=make_key("ed25519", sources, holder),
        log_pq=make_key("ml-dsa-44", sources, holder),
        service=make_key("ed25519", sources, holder),
        kek=make_key("kek", sources, holder),
    )


def make_key(alg: str, sources: Sources, holder: Holder) -> KeyMaterial:
    """Make a key of an algorithm for a holder."""
    return KeyMaterial(alg=alg, secret=sources.random_bytes(32), holder=holder)


def _check_printed(text: str, option: str) -> None:
    """Refuse a printed name before anything is made that the first entry could not carry."""
    try:
        canonical.encode({"text": text})
        kind_of(Name).read(text)
    except FormatError as error:
        raise FormatError("PERSON", error.message, field=option) from error


def _signers(given: Sequence[str]) -> Mapping[str, str]:
    """Read which keys are held in tokens, and look at each before anything is made."""
    pairs = [each.partition("=") for each in given]
    if len({name for name, _, _ in pairs}) != len(pairs):
        raise FormatError("SETTING", "expected each key once", field="--signer")
    signers = read_signers({name: address for name, _, address in pairs})
    for name in signers:
        open_signer(name, signers, Path(), None)
    return signers


def _service_key(keys: NewKeys, signers: Mapping[str, str]) -> SigningKey:
    if SERVICE not in signers:
        return keys.service.signing_key()
    return HeldKey(open_signer(SERVICE, signers, Path(), None))


def _definition(path: Path) -> StudyDefinition:
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"expected a file with a study definition, {path.name} cannot be read"
        raise StoreError("STUDY_FILE", message, field="--study") from error
    return load(written(data))


def _open(
    ledger: Ledger,
    root: KeyMaterial,
    service_key: SigningKey,
    definition: StudyDefinition,
    person: str,
    name: str,
    organisation: str,
) -> str:
    return open_log(
        ledger,
        [Signer(root.signing_key(), person, name, organisation)],
        threshold=1,
        service_key=service_key,
        operator=Operator(name="Ledger service", organisation=organisation),
        definition=definition,
    )
