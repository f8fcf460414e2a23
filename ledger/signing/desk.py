"""The desk: keys that people may sign with here, and statements that wait for a person's signature.

    desk.add(key, now_us, credential=…)          # a passkey; wrapped=… for a key in custody
    desk.keys_of(person)
    desk.leave(submission, missing, now_us)      # signed by the others already: WAITING
    desk.waiting_for(person, now_us)
    desk.done(event)

It holds what a browser and the service need again, in the file of accounts. Nothing of it counts for itself:
which key is enrolled, for whom, and in which grade, is in the log. A statement waits at most a day, because
its place in its stream is soon another's; one with sealed values never waits here, where nothing erases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import orjson

from ledger.actions.accounts import Key
from ledger.errors import FormatError
from ledger.identity.database import AccountsDatabase, Part
from ledger.statement import KeyRef
from ledger.store.sql import queries
from ledger.submission import Submission

PART: Final = Part(name="signing", script="desk.sql", package="ledger.signing")
WAITS_US: Final = 24 * 3_600_000_000
MAX_WAITING: Final = 64
MAX_KEYS: Final = 16
CODE: Final = "WAITING"

_Q: Final = queries("desk_queries.sql", "ledger.signing")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskKey:
    """A key as it stands on the desk; `wrapped` is the key file of one in custody."""

    id: str
    person: str
    key: Mapping[str, Any]
    credential: str | None
    wrapped: str | None = field(repr=False)
    made_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A statement that waits for the signature of one key: the JSON body as it was handed in."""

    event: str
    key: str
    body: bytes = field(repr=False)
    until_us: int


class Desk:
    """The desk of one ledger. Thread-safe; processes share it by the file."""

    def __init__(self, database: AccountsDatabase) -> None:
        database.add(PART)
        self._database = database

    def add(
        self, key: Key, now_us: int, *, credential: str | None = None, wrapped: str | None = None
    ) -> None:
        """Put a key on the desk.

        Raises:
            FormatError: `WAITING` where the person has too many.
            ConflictError: `DUPLICATE`.
        """
        if len(self.keys_of(key.person)) >= MAX_KEYS:
            raise FormatError(CODE, f"expected at most {MAX_KEYS} keys of a person")
        row = (key.id, key.person, orjson.dumps(key_members(key)).decode(), credential, wrapped, now_us)
        with self._database.writing() as connection:
            connection.execute(_Q["add_key"], row)

    def all(self) -> tuple[DeskKey, ...]:
        """Return every key, the eldest first."""
        return tuple(_key(row) for row in self._database.read(_Q["keys"]))

    def keys_of(self, person: str) -> tuple[DeskKey, ...]:
        """Return the keys of a person, the eldest first."""
        return tuple(_key(row) for row in self._database.read(_Q["keys_of"], (person,)))

    def key(self, key_id: str) -> DeskKey | None:
        """Return a key by its id."""
        rows = self._database.read(_Q["key"], (key_id,))
        return _key(rows[0]) if rows else None

    def rewrap(self, key: DeskKey, wrapped: str) -> bool:
        """Put another key file in the place of this one; False where somebody else did meanwhile."""
        with self._database.writing() as connection:
            return connection.execute(_Q["rewrap"], (wrapped, key.id, key.wrapped)).rowcount > 0

    def leave(self, submission: Submission, body: bytes, missing: KeyRef, person: str, now_us: int) -> None:
        """Let a statement wait for one signature.

        Raises:
            FormatError: `WAITING` for one with sealed values, or where the person has too many waiting.
        """
        statement = submission.statement
        if statement.sealed or submission.disclosures:
            raise FormatError(CODE, "expected a statement without sealed values", field="/payload")
        if len(self.waiting_for(person, now_us)) >= MAX_WAITING:
            raise FormatError(CODE, f"expected at most {MAX_WAITING} statements that wait for a person")
        row = (statement.event, person, missing.id, body.decode(), now_us + WAITS_US)
        with self._database.writing() as connection:
            connection.execute(_Q["forget"], (now_us,))
            connection.execute(_Q["leave"], row)

    def waiting_for(self, person: str, now_us: int) -> tuple[Waiting, ...]:
        """Return what waits for a person, what ends soonest first."""
        rows = self._database.read(_Q["waiting_of"], (person, now_us))
        return tuple(
            Waiting(event=event, key=key, body=submission.encode(), until_us=until_us)
            for event, key, submission, until_us in rows
        )

    def done(self, event: str) -> None:
        """Take a statement away: it was recorded, or nobody wants it any more."""
        with self._database.writing() as connection:
            connection.execute(_Q["done"], (event,))


def key_members(key: Key) -> dict[str, Any]:
    """Return KEY as it stands in `data`, absent members left out."""
    return {name: value for name, value in asdict(key).items() if value is not None}


def _key(row: tuple[Any, ...]) -> DeskKey:
    id_, person, key, credential, wrapped, made_us = row
    return DeskKey(
        id=id_,
        person=person,
        key=orjson.loads(key),
        credential=credential,
        wrapped=wrapped,
        made_us=made_us,
    )
