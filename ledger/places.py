"""Where a ledger keeps what must lie apart from its events: published checkpoints, and wrapped data keys.

Each is a file in the ledger's directory (`sqlite:`), or a schema of a PostgreSQL cluster, where several hosts
serve one ledger. Not of the cluster that holds the events: whoever put back an older copy of that one would
put back an older checkpoint with it, and would bring back keys that were destroyed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

from ledger.datakeys import DataKeys, RandomBytes, new_check
from ledger.errors import FormatError, StoreError
from ledger.store.checkpoints import CheckpointFile, CheckpointStore
from ledger.store.urls import SQLITE, check_url, parse_schema_url
from ledger.store.wrapped_keys import KeyRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """URLs of the roles that make and own tables; None where there is a file. Kept nowhere."""

    store: str | None = None
    checkpoints: str | None = None
    data_keys: str | None = None


NOBODY: Final = Owners()


def create_checkpoints(url: str, file: Path, owner: str | None) -> None:
    """Make an empty store of checkpoints.

    Raises:
        FormatError: `STORE_URL` for a URL out of form, an owner where there is none to have, or none.
        StoreError: STORE_EXISTS, STORE_MISSING, STORE_ROLE, STORE_VERSION, STORE_FULL, STORE_IO.
    """
    if _is_file(url, owner):
        CheckpointFile.create(file).close()
    else:
        _postgres("checkpoints").CheckpointSchema.create_at(url, owner)


def open_checkpoints(url: str, file: Path) -> CheckpointStore:
    """Open a store of checkpoints.

    Raises:
        FormatError: `STORE_URL`.
        StoreError: STORE_MISSING, STORE_CORRUPT, STORE_VERSION, STORE_ROLE, STORE_BUSY, STORE_IO.
    """
    if url == SQLITE:
        return CheckpointFile(file)
    opened: CheckpointStore = _postgres("checkpoints").CheckpointSchema.open_at(url)
    return opened


def create_data_keys(url: str, file: Path, owner: str | None, kek: bytes, random_bytes: RandomBytes) -> None:
    """Make an empty place of data keys for a key-encryption key of 32 bytes.

    Raises:
        FormatError, StoreError: as `create_checkpoints`.
    """
    if _is_file(url, owner):
        DataKeys.create(file, kek, random_bytes).close()
    else:
        _postgres("keys").KeySchema.create(url, owner, new_check(kek, random_bytes))


def fill_data_keys(url: str, owner: str | None, check: bytes, rows: Sequence[KeyRow]) -> None:
    """Make a schema of data keys with what another place holds, whole or not at all.

    Raises:
        FormatError, StoreError: as `create_checkpoints`.
    """
    if owner is None:
        raise FormatError("STORE_URL", "expected the URL of the role that is to own the tables")
    _postgres("keys").KeySchema.create(url, owner, check, rows)


def open_data_keys(url: str, file: Path, kek: bytes, random_bytes: RandomBytes) -> DataKeys:
    """Open a place of data keys.

    Raises:
        FormatError: `STORE_URL`.
        StoreError: as `open_checkpoints`, or KEK_WRONG for another key-encryption key.
    """
    place = file if url == SQLITE else _postgres("keys").KeySchema(url)
    return DataKeys(place, kek, random_bytes)


def check_apart(store: str, others: Sequence[str]) -> None:
    """Check that none of the others is in the PostgreSQL cluster that holds the events.

    Raises:
        FormatError: `STORE_URL`.
        StoreError: STORE_SHARED, or STORE_IO, STORE_BUSY where a server can't be asked.
    """
    schemas = [url for url in others if url != SQLITE]
    if store == SQLITE or not schemas:
        return
    holds = _postgres("place").cluster(store)
    if any(_postgres("place").cluster(url) == holds for url in schemas):
        raise StoreError(
            "STORE_SHARED", "expected checkpoints and data keys in another cluster than the events"
        )


def takes_writes(store: str) -> bool:
    """Tell whether what holds the events takes writes: a file does, a standby of PostgreSQL does not.

    Raises:
        FormatError: `STORE_URL`.
        StoreError: STORE_IO, STORE_BUSY.
    """
    return store == SQLITE or bool(_postgres("place").takes_writes(store))


def migrate_places(checkpoints: tuple[str, str | None], data_keys: tuple[str, str | None]) -> tuple[str, ...]:
    """Apply what the tables of both lack, each given by its URL and its owner's; return what was applied.

    Raises:
        FormatError: `STORE_URL`.
        StoreError: STORE_MISSING, STORE_CORRUPT, STORE_VERSION, STORE_BUSY, STORE_IO.
    """
    applied: list[str] = []
    for kind, (url, owner) in (("checkpoints", checkpoints), ("datakeys", data_keys)):
        if owner is not None:
            migrated = _postgres("migrations").migrate(parse_schema_url(url), parse_schema_url(owner), kind)
            applied += migrated
    return tuple(applied)


def _is_file(url: str, owner: str | None) -> bool:
    check_url(url)
    if (url == SQLITE) != (owner is None):
        raise FormatError("STORE_URL", "expected an owner's URL for a schema, and none for a file")
    return url == SQLITE


def _postgres(part: str) -> ModuleType:
    try:
        return import_module(f"ledger.store.postgres_{part}")
    except ImportError as error:
        raise StoreError("STORE_MISSING", "expected the extra postgres to be installed") from error
