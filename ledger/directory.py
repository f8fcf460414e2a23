"""A ledger's directory: `ledger.toml`, the stores, and the keys (interfaces.md, "Command line").

    ledger.toml       origin, study, store, checkpoints, data keys, demonstration label, reading tokens
    ledger.db         the embedded store, where `store` names no other
    checkpoints.db    published checkpoints, apart on purpose, where `checkpoints` names no schema
    datakeys.db       wrapped data keys, apart too, where `data_keys` names no schema
    unblindings.db    emergency unblindings of this host that wait to be recorded
    witnessed.db      witnesses' lines, time stamps and proofs of forks
    accounts.db       what identifies people to the service of this host
    frozen.json       where it is: this epoch is frozen for good
    keys/             log.json, log-pq.json, service.json, kek.json, and one file per person made here

`create` is the only thing that makes one, and refuses a place that is not empty. `open_ledger` composes the
write path from what lies there. Settings of the environment are read in `settings`.
"""

from __future__ import annotations

import json  # its strings are TOML's basic strings
import re
import tomllib
from collections.abc import Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from ledger.committer import Ledger
from ledger.earlier_store import EarlierStore
from ledger.epochs import check_continues, stopped
from ledger.errors import FormatError, LedgerError, StoreError
from ledger.identity.database import FILE, AccountsDatabase
from ledger.identity.settings import IdentitySettings, OidcSettings, format_identity, read_identity, read_oidc
from ledger.keyfile import KeyMaterial, load_key, write_key
from ledger.new_directory import new_directory
from ledger.new_file import new_file
from ledger.note import CosignatureSigner
from ledger.places import (
    NOBODY,
    Owners,
    check_apart,
    create_checkpoints,
    create_data_keys,
    open_checkpoints,
    open_data_keys,
)
from ledger.reading_tokens import Token as Token
from ledger.reading_tokens import format_tokens, read_token
from ledger.savepoint import RECORDING, Savepoint
from ledger.service import LogSigners, Service
from ledger.signing.holding import LOG, SERVICE, format_signers, open_signer, read_signers
from ledger.signing.port import FileSigner, HeldKey, HeldNoteSigner
from ledger.signing.selftest import check_signer
from ledger.signing.settings import SigningSettings, format_signing, read_signing
from ledger.sources import Sources
from ledger.stamping.settings import StampSettings, format_timestamps, read_timestamps
from ledger.statement import is_origin
from ledger.store.port import Store
from ledger.store.startup import check as check_startup
from ledger.store.unblindings import UnblindingQueue
from ledger.store.urls import SQLITE, check_url, create_store
from ledger.store.urls import open_store as open_url
from ledger.unblinding_queue import settle
from ledger.witness.asking import HttpPost
from ledger.witness.gathering import Gathering
from ledger.witness.keeping import FILE as WITNESSED_FILE
from ledger.witness.keeping import Cosignatures

CONFIG: Final = "ledger.toml"
DATABASE: Final = "ledger.db"
CHECKPOINTS: Final = "checkpoints.db"
DATA_KEYS: Final = "datakeys.db"
UNBLINDINGS: Final = "unblindings.db"
ACCOUNTS: Final = FILE
WITNESSED: Final = WITNESSED_FILE
KEYS: Final = "keys"
LOG_KEY, LOG_PQ_KEY, SERVICE_KEY, KEK = "log.json", "log-pq.json", "service.json", "kek.json"

_PLACES: Final = ("store", "checkpoints", "data_keys")
_CONTINUES: Final = frozenset({"directory", "size"})
_MEMBERS: Final = frozenset(
    {
        "origin",
        "study",
        "demonstration",
        "tokens",
        "signers",
        "signing",
        "identity",
        "oidc",
        "timestamps",
        "continues",
        *_PLACES,
    }
)
_STUDY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Predecessor:
    """The older epoch that this log goes on from: its directory, and how many of its entries count."""

    directory: Path
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What `ledger.toml` says. Store, checkpoints and data keys are files where no URL names a schema."""

    origin: str
    study: str
    demonstration: bool
    tokens: tuple[Token, ...]
    signers: Mapping[str, str] = field(default_factory=dict)
    signing: SigningSettings | None = None
    identity: IdentitySettings = field(default_factory=IdentitySettings)
    oidc: OidcSettings | None = None
    timestamps: StampSettings | None = None
    continues: Predecessor | None = None
    store: str = SQLITE
    checkpoints: str = SQLITE
    data_keys: str = SQLITE


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKeys:
    """The key material that a new ledger starts with."""

    log: KeyMaterial
    log_pq: KeyMaterial
    service: KeyMaterial
    kek: KeyMaterial


def read_config(directory: Path) -> Config:
    """Read `ledger.toml`.

    Raises:
        StoreError: `LEDGER_MISSING` when the directory holds no ledger.
        FormatError: `CONFIG` with the member.
    """
    path = directory / CONFIG
    try:
        value = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreError("LEDGER_MISSING", f"no {CONFIG} there: not a ledger's directory") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError("CONFIG", f"{CONFIG} is not well-formed TOML") from error
    unknown = value.keys() - _MEMBERS
    if unknown:
        raise FormatError("CONFIG", f"{CONFIG} has an unknown member", field=min(unknown))
    origin, study = value.get("origin"), value.get("study")
    if not isinstance(origin, str) or not is_origin(origin):
        raise FormatError("CONFIG", "expected an origin", field="origin")
    if not isinstance(study, str) or _STUDY.fullmatch(study) is None:
        raise FormatError("CONFIG", "expected a study id", field="study")
    demonstration, tokens = value.get("demonstration", False), value.get("tokens", [])
    if not isinstance(demonstration, bool):
        raise FormatError("CONFIG", "expected true or false", field="demonstration")
    if not isinstance(tokens, list):
        raise FormatError("CONFIG", "expected tables [[tokens]]", field="tokens")
    return Config(
        origin=origin,
        study=study,
        demonstration=demonstration,
        tokens=tuple(read_token(token, n) for n, token in enumerate(tokens)),
        signers=read_signers(value.get("signers", {})),
        signing=read_signing(value["signing"]) if "signing" in value else None,
        identity=read_identity(value.get("identity", {})),
        oidc=read_oidc(value["oidc"]) if "oidc" in value else None,
        timestamps=read_timestamps(value["timestamps"]) if "timestamps" in value else None,
        continues=_predecessor(value["continues"]) if "continues" in value else None,
        **{name: _place(name, value.get(name, SQLITE)) for name in _PLACES},
    )


def write_config(directory: Path, config: Config) -> None:
    """Write `ledger.toml`."""
    lines = [f'origin = "{config.origin}"', f'study = "{config.study}"']
    for name, url in zip(_PLACES, (config.store, config.checkpoints, config.data_keys), strict=True):
        if url != SQLITE:
            lines.append(f"{name} = {_quoted(url)}")
    if config.demonstration:
        lines += [
            "# Every key of this ledger follows from a public label: it protects nothing.",
            "demonstration = true",
        ]
    lines += format_tokens(config.tokens)
    lines += format_signers(config.signers)
    if config.signing is not None:
        lines += format_signing(config.signing)
    lines += format_identity(config.identity, config.oidc)
    if config.timestamps is not None:
        lines += format_timestamps(config.timestamps)
    if config.continues is not None:
        place = _quoted(str(config.continues.directory))
        lines += ["", "[continues]", f"directory = {place}", f"size = {config.continues.size}"]
    with new_file(directory / CONFIG, replace=True) as file:
        file.write(("\n".join(lines) + "\n").encode())


def create(
    directory: Path,
    config: Config,
    keys: NewKeys,
    passphrase: str | None,
    sources: Sources,
    *,
    owners: Owners = NOBODY,
) -> Ledger:
    """Make the directory of a new, empty ledger and open it.

    What lies outside of the directory is made as its owner, whose URL is written nowhere.

    Raises:
        StoreError: `LEDGER_EXISTS` when something is already there, `STORE_SHARED` for checkpoints or data
            keys beside the events, and what making the store raises.
        FormatError: `STORE_URL` when the store's URL and that of its owner do not fit.
    """
    check_apart(config.store, (config.checkpoints, config.data_keys))
    with new_directory(directory):
        _fill(directory, config, keys, passphrase, sources, owners)
        return open_ledger(directory, passphrase, sources)


def _fill(
    directory: Path, config: Config, keys: NewKeys, passphrase: str | None, sources: Sources, owners: Owners
) -> None:
    """Make everything that lies in a ledger's directory, and what `config` has elsewhere."""
    create_store(config.store, directory / DATABASE, owners.store).close()
    (directory / KEYS).mkdir(mode=0o700)
    for name, key in (
        (LOG_KEY, keys.log),
        (LOG_PQ_KEY, keys.log_pq),
        (SERVICE_KEY, keys.service),
        (KEK, keys.kek),
    ):
        if Path(name).stem not in config.signers:  # a key in a token is there already
            write_key(directory / KEYS / name, key, passphrase, random_bytes=sources.random_bytes)
    write_config(directory, config)
    create_checkpoints(config.checkpoints, directory / CHECKPOINTS, owners.checkpoints)
    kek = keys.kek.secret
    create_data_keys(config.data_keys, directory / DATA_KEYS, owners.data_keys, kek, sources.random_bytes)
    UnblindingQueue.create(directory / UNBLINDINGS).close()
    AccountsDatabase.create(directory / ACCOUNTS).close()


def open_store(directory: Path) -> Store:
    """Open the store of a ledger alone, for reading without keys.

    Raises:
        StoreError, FormatError: what is missing or unreadable.
    """
    return _open_store(directory, read_config(directory))


def _open_store(directory: Path, config: Config) -> Store:
    """Open a store together with those of the older epochs that it goes on from."""
    store = open_url(config.store, directory / DATABASE)
    if config.continues is not None:
        with ExitStack() as opened:
            opened.enter_context(closing(store))
            older = opened.enter_context(closing(open_store(directory / config.continues.directory)))
            store.earlier = EarlierStore(older, config.continues.size)
            check_continues(store)
            opened.pop_all()
    return store


def open_ledger(directory: Path, passphrase: str | None, sources: Sources, *, lazy: bool = False) -> Ledger:
    """Open a ledger for reading and recording, after the start-up rule of record-format.md §5.

    A `lazy` one folds conduct when something asks for it, which recording does. Emergency unblindings that
    wait are recorded before anything else.

    Raises:
        StoreError, FormatError, LedgerError: what is missing, unreadable or locked.
    """
    config = read_config(directory)
    keys = {name: load_key(directory / KEYS / name, passphrase) for name in (LOG_PQ_KEY, KEK)}
    held = {name: open_signer(name, config.signers, directory / KEYS, passphrase) for name in (LOG, SERVICE)}
    check_signer("log-pq", FileSigner(keys[LOG_PQ_KEY]))
    signers = LogSigners(
        head=HeldNoteSigner(config.origin, held[LOG]),
        published=(CosignatureSigner(config.origin, keys[LOG_PQ_KEY].secret),),
    )
    with ExitStack() as opened:
        store = opened.enter_context(closing(_open_store(directory, config)))
        _open_older_keys(store, config, passphrase, sources)
        check_apart(config.store, (config.checkpoints, config.data_keys))
        checkpoints = opened.enter_context(
            closing(open_checkpoints(config.checkpoints, directory / CHECKPOINTS))
        )
        kek, keys_file = keys[KEK].secret, directory / DATA_KEYS
        # What is folded of a log that continues another rests on what of the older epochs was at hand.
        savepoint = None
        if config.continues is None:
            savepoint = Savepoint(directory / RECORDING, kek, config.origin, "ledger")
        data_keys = opened.enter_context(
            open_data_keys(config.data_keys, keys_file, kek, sources.random_bytes)
        )
        ledger = Ledger(
            origin=config.origin,
            store=store,
            checkpoints=checkpoints,
            signers=signers,
            service=Service(HeldKey(held[SERVICE]), kek),
            data_keys=data_keys,
            sources=sources,
            startup=stopped(directory) or check_startup(store, checkpoints, signers.verifier_keys),
            lazy=lazy,
            savepoint=savepoint,
        )
        ledger.stopped = partial(stopped, directory)
        kept = opened.enter_context(closing(_witnessed(directory / WITNESSED)))
        ledger.gathering = Gathering(store, kept, HttpPost(), partial(_witness_policy, ledger, kept))
        if config.timestamps is not None:
            ledger.gathering.stamper = partial(_stamp, directory, config.timestamps)
        with UnblindingQueue(directory / UNBLINDINGS) as queue:
            settle(ledger, queue)
        if not ledger.startup.frozen:
            ledger.publish()
        opened.pop_all()  # nothing failed: from here on `Ledger.close` releases them
    return ledger


def _open_older_keys(store: Store, config: Config, passphrase: str | None, sources: Sources) -> None:
    """Open the data keys of older epochs, where their directories have this one's passphrase.

    Where one does not, what is sealed there is opened there, and nothing here says that it could be.
    """
    while config.continues is not None and isinstance(store.earlier, EarlierStore):
        place, earlier = config.continues.directory, store.earlier
        store, config = earlier.store, read_config(place)
        with suppress(LedgerError):
            kek = load_key(place / KEYS / KEK, passphrase).secret
            earlier.data_keys = open_data_keys(config.data_keys, place / DATA_KEYS, kek, sources.random_bytes)


def _witness_policy(ledger: Ledger, kept: Cosignatures) -> str | None:
    """Return the policy of witnesses in force; while the log is not read yet, as it was last known."""
    if ledger.fold.size == 0:
        return kept.policy()
    text = ledger.fold.authority.witness_policy
    if text is not None:
        kept.remember_policy(text)
    return text


def _stamp(directory: Path, settings: StampSettings, note: bytes) -> bytes:
    from ledger.stamping import rfc3161  # a library that only who has an authority needs

    anchor = rfc3161.read_anchor_file(directory / settings.certificates)
    return rfc3161.stamp(note, settings.url, anchor, rfc3161.post_over_http)


def _witnessed(path: Path) -> Cosignatures:
    """Open what others said of this ledger; a ledger whose file is gone asks them again."""
    if path.exists():
        return Cosignatures(path)
    with suppress(StoreError):  # another process made it meanwhile
        return Cosignatures.create(path)
    return Cosignatures(path)


def _predecessor(value: Any) -> Predecessor:
    if not isinstance(value, Mapping) or value.keys() != _CONTINUES:
        raise FormatError("CONFIG", "expected exactly directory and size", field="continues")
    directory, size = value["directory"], value["size"]
    if not isinstance(directory, str) or type(size) is not int or size < 1:
        raise FormatError("CONFIG", "expected a directory and a size of 1 at least", field="continues")
    return Predecessor(directory=Path(directory), size=size)


def _place(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise FormatError("CONFIG", "expected the URL of a store", field=name)
    try:
        check_url(value)
    except FormatError as error:
        raise FormatError("CONFIG", error.message, field=name) from error
    return value


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
