"""Failed attempts by subject: an address, or an id that the log can't count for.

The log counts the failures of people whom it knows. Beside it stands this count, of addresses, of ids that
nobody has, and of everybody while the log is frozen. An id that nobody has is locked after as many failures,
for as long, as a person's would be, so that nobody learns by trying who exists.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

from ledger.identity.database import AccountsDatabase
from ledger.identity.passwords import PART
from ledger.store.sql import queries

Kind = Literal["address", "id", "guess", "pause"]
KEPT_US: Final = 24 * 3_600_000_000

_Q: Final = queries("passwords_queries.sql", "ledger.identity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """So many failures lock a subject for `lock_us`; they count from the first on, for `window_us`."""

    failures: int
    lock_us: int
    window_us: int = KEPT_US


class Attempts:
    """The counts of one ledger; processes share them by the file."""

    def __init__(self, database: AccountsDatabase, secret: bytes) -> None:
        database.add(PART)
        self._database = database
        self._key = hmac.digest(secret, b"trial-ledger/attempts/v1", "sha256")

    def locked_until(self, kind: Kind, text: str) -> int:
        """Return until when a subject is locked (UTC microseconds); 0 where it never was."""
        rows = self._database.read(_Q["attempts"], (self._subject(kind, text),))
        return int(rows[0][2]) if rows else 0

    def failed(self, kind: Kind, text: str, now_us: int, limit: Limit) -> bool:
        """Count a failure; tell whether the subject is locked now."""
        subject = self._subject(kind, text)
        with self._database.writing() as connection:
            connection.execute(_Q["forget_old_attempts"], (now_us - KEPT_US, now_us))
            row = connection.execute(_Q["attempts"], (subject,)).fetchone()
            failures, since_us, locked_us = row or (0, now_us, 0)
            if now_us < locked_us:
                return True
            if now_us - since_us >= limit.window_us or locked_us:
                failures, since_us = 0, now_us
            locked_us = now_us + limit.lock_us if failures + 1 >= limit.failures else 0
            connection.execute(_Q["put_attempts"], (subject, failures + 1, since_us, locked_us))
        return locked_us > 0

    def succeeded(self, kind: Kind, text: str) -> None:
        """Forget the failures of a subject."""
        if self._database.read(_Q["attempts"], (self._subject(kind, text),)):
            with self._database.writing() as connection:
                connection.execute(_Q["forget_attempts"], (self._subject(kind, text),))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other thread or process of this host judge a failure meanwhile; nothing is written by it."""
        with self._database.writing():
            yield

    def use_once(self, token: str, until_us: int, now_us: int) -> bool:
        """Use a token up that holds until then; False where it was used before."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        with self._database.writing() as connection:
            connection.execute(_Q["forget_tokens"], (now_us,))
            return connection.execute(_Q["use_token"], (digest, until_us)).rowcount > 0

    def _subject(self, kind: Kind, text: str) -> str:
        # Cut off: whoever sends a megabyte as an id makes no work of it.
        message = f"{kind}\0{text[:512]}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()
