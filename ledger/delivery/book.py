"""`deliveries.db`: what deliveries need to be remembered, in one file of a ledger's directory.

    proposals      configurations by their hash; in force is only what the log names
    signing_keys   of endpoints, each under AES-256-GCM of the key-encryption key
    lanes          where each endpoint is: the next index, how often it failed, when to try again
    parked         entries that an endpoint did not take for days
    gone           endpoints that want nothing more

A change is durable when it returns (`synchronous=FULL`). Losing the file loses no entry of the log: endpoints
are proposed and signed anew, with new keys. One process delivers at a time: it holds `deliveries.lock` as
long as it lives, so a killed one is followed at once.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.delivery.addresses import Reach
from ledger.delivery.endpoints import Endpoint, parse_endpoint
from ledger.delivery.signing import public_key
from ledger.errors import StoreError
from ledger.sources import Sources
from ledger.store.small_file import SmallFile
from ledger.store.sqlite_files import FileFormat

FILE: Final = "deliveries.db"
LOCK: Final = "deliveries.lock"
FORM: Final = FileFormat(
    what="a book of deliveries",
    application_id=0x544C4744,
    version=1,
    script="deliveries.sql",
    write_ahead=False,
    package="ledger.delivery",
)
NONCE_BYTES: Final = 12
_LANE: Final = "endpoint, ordered, first, next, stop, tries, since_us, due_us, trouble"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One place of an endpoint; `stop` (exclusive) ends a replay, `tries` counts failures of `next`."""

    endpoint: str
    ordered: int
    first: int
    next: int
    stop: int | None
    tries: int = 0
    since_us: int = 0
    due_us: int = 0
    trouble: str = ""

    @property
    def done(self) -> bool:
        """Tell whether a replay is at its end."""
        return self.stop is not None and self.next >= self.stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """One delivery that was given up."""

    endpoint: str
    index: int
    tries: int
    parked_us: int
    trouble: str


class _File(SmallFile):
    form = FORM


class Book:
    """The file; threads and processes may share it."""

    def __init__(self, directory: Path, kek: bytes, sources: Sources) -> None:
        """Open an existing file.

        Raises:
            StoreError: STORE_MISSING, STORE_CORRUPT, STORE_VERSION, STORE_BUSY, STORE_IO.
        """
        self._kek = AESGCM(kek)
        self._sources = sources
        self._file = _File(directory / FILE)

    @classmethod
    def ensure(cls, directory: Path, kek: bytes, sources: Sources) -> Self:
        """Open the file, making an empty one where there is none yet.

        Raises:
            StoreError: as `Book`, and STORE_FULL.
        """
        if not (directory / FILE).exists():
            with suppress(StoreError):  # another process may have been first
                _File.create(directory / FILE).close()
        return cls(directory, kek, sources)

    def close(self) -> None:
        """Release the file; closing twice is allowed."""
        self._file.close()

    def new_endpoint(self) -> str:
        """Return an id that no endpoint has."""
        return self._sources.random_bytes(8).hex()

    def propose(self, endpoint: Endpoint) -> None:
        """Keep a configuration; it is in force once its hash is in the log."""
        self._run(
            "INSERT OR IGNORE INTO proposals VALUES (?, ?, ?)",
            (endpoint.digest, endpoint.endpoint, endpoint.body),
        )

    def new_key(self, endpoint: str) -> str:
        """Make a signing key of an endpoint; return its public half, `whpk_…`."""
        seed = self._sources.random_bytes(32)
        public, nonce = public_key(seed), self._sources.random_bytes(NONCE_BYTES)
        wrapped = nonce + self._kek.encrypt(nonce, seed, _wrapping(endpoint, public))
        self._run("INSERT INTO signing_keys VALUES (?, ?, ?)", (public, endpoint, wrapped))
        return public

    def config(self, digest: str, reach: Reach) -> Endpoint | None:
        """Return the configuration of a hash; None where it is not kept.

        Raises:
            FormatError: one that may not be sent to any more.
        """
        rows = self._run("SELECT config FROM proposals WHERE digest = ?", (digest,))
        endpoint = parse_endpoint(orjson.loads(rows[0][0]), reach) if rows else None
        return endpoint if endpoint is not None and endpoint.digest == digest else None

    def proposals(self) -> list[tuple[str, str]]:
        """Return endpoint and hash of every configuration that was ever proposed."""
        return [tuple(row) for row in self._run("SELECT endpoint, digest FROM proposals ORDER BY 1, 2")]

    def seed(self, endpoint: str, public: str) -> bytes | None:
        """Return the secret half of a key; None where it is not kept, or not this endpoint's.

        Raises:
            StoreError: KEK_WRONG.
        """
        rows = self._run("SELECT wrapped FROM signing_keys WHERE public = ?", (public,))
        if not rows:
            return None
        wrapped = rows[0][0]
        try:
            return self._kek.decrypt(
                wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _wrapping(endpoint, public)
            )
        except InvalidTag:
            raise StoreError("KEK_WRONG", "a signing key does not open under this key") from None

    def lanes(self, endpoint: str) -> list[Lane]:
        """Return an endpoint's places, its own first."""
        rows = self._run(f"SELECT {_LANE} FROM lanes WHERE endpoint = ? ORDER BY ordered, first", (endpoint,))  # noqa: S608
        names = _LANE.split(", ")
        return [Lane(**dict(zip(names, row, strict=True))) for row in rows]

    def begin(self, lane: Lane) -> None:
        """Keep a new place, unless it is kept already."""
        self._run(
            "INSERT OR IGNORE INTO lanes (endpoint, ordered, first, next, stop) VALUES (?, ?, ?, ?, ?)",
            (lane.endpoint, lane.ordered, lane.first, lane.next, lane.stop),
        )

    def advance(self, lane: Lane, following: int, delivered: int | None = None) -> None:
        """Keep that everything below `following` was dealt with; `delivered` is parked no more."""
        self._run(
            "UPDATE lanes SET next = ?, tries = 0, since_us = 0, due_us = 0, trouble = '' "
            "WHERE endpoint = ? AND ordered = ? AND first = ?",
            (following, lane.endpoint, lane.ordered, lane.first),
            also=("DELETE FROM parked WHERE endpoint = ? AND idx = ?", (lane.endpoint, delivered)),
        )

    def failed(self, lane: Lane, *, since_us: int, due_us: int, trouble: str) -> None:
        """Keep that an attempt failed, and when to try again."""
        self._run(
            "UPDATE lanes SET tries = tries + 1, since_us = ?, due_us = ?, trouble = ? "
            "WHERE endpoint = ? AND ordered = ? AND first = ?",
            (since_us, due_us, trouble, lane.endpoint, lane.ordered, lane.first),
        )

    def park(self, lane: Lane, *, now_us: int, trouble: str) -> None:
        """Give an entry up, and go on with the one after it."""
        self._run(
            "UPDATE lanes SET next = next + 1, tries = 0, since_us = 0, due_us = 0, trouble = '' "
            "WHERE endpoint = ? AND ordered = ? AND first = ?",
            (lane.endpoint, lane.ordered, lane.first),
            also=(
                "INSERT OR REPLACE INTO parked VALUES (?, ?, ?, ?, ?)",
                (lane.endpoint, lane.next, lane.tries + 1, now_us, trouble),
            ),
        )

    def parked(self, endpoint: str) -> list[Parked]:
        """Return what an endpoint did not take, by index."""
        rows = self._run("SELECT * FROM parked WHERE endpoint = ? ORDER BY idx", (endpoint,))
        return [
            Parked(endpoint=name, index=index, tries=tries, parked_us=at, trouble=trouble)
            for name, index, tries, at, trouble in rows
        ]

    def count_parked(self) -> int:
        """Count what all endpoints together did not take."""
        return int(self._run("SELECT count(*) FROM parked")[0][0])

    def set_gone(self, endpoint: str, since: int) -> None:
        """Keep that an endpoint wants nothing more, as configured by the statement at `since`."""
        self._run("INSERT OR REPLACE INTO gone VALUES (?, ?)", (endpoint, since))

    def gone(self, endpoint: str, since: int) -> bool:
        """Tell whether an endpoint wants nothing more, and nobody has signed for it since."""
        rows = self._run("SELECT since FROM gone WHERE endpoint = ?", (endpoint,))
        return bool(rows) and int(rows[0][0]) >= since

    def _run(
        self, query: str, values: tuple[Any, ...] = (), also: tuple[str, tuple[Any, ...]] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run a statement, and another one in the same transaction."""
        if also is None:
            return self._file.read(query, values)
        with self._file.writing() as connection:
            rows = connection.execute(query, values).fetchall()
            connection.execute(*also)
        return rows


def parked_in(directory: Path) -> int | None:
    """Count what was given up in a ledger's directory, without its keys; None where it has no webhooks.

    Raises:
        StoreError: as `Book`.
    """
    if not (directory / FILE).exists():
        return None
    with _File(directory / FILE) as file:
        return int(file.read("SELECT count(*) FROM parked")[0][0])


class Lease:
    """The right to deliver for one ledger: held by one process, and free again when that one ends."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK
        self._held: int | None = None

    @property
    def held(self) -> bool:
        """Tell whether it is this process's."""
        return self._held is not None

    def take(self) -> bool:
        """Take it, if nobody else has it; tell whether it is held."""
        if self._held is None:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(handle)
                return False
            self._held = handle
        return True

    def release(self) -> None:
        """Let another process have it."""
        if self._held is not None:
            os.close(self._held)
            self._held = None


def _wrapping(endpoint: str, public: str) -> bytes:
    return b"trial-ledger/webhook-key/v1\0" + endpoint.encode() + b"\0" + public.encode()
