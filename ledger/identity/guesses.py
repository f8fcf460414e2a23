"""Guesses at somebody's login from where they never came from: these lock that address out, not the person.

    if guesses.wait_s(person, address, now_us): …            # this address waits, for this id
    if guesses.failed(person, address, limit, now_us): …     # not to be counted against the person any more
    guesses.let_in(person, address, now_us)                  # a success: from here on it is one of theirs

The log counts failures and locks an id after so many (21 CFR 11.300(d)). From one address that the person was
not let in from within `KNOWN_US` it gets one fewer than that in a day; then the address waits as long as a
lock would last, and what it goes on to try is counted beside the log. So one address alone locks nobody out.
Whoever has many, or shares one with the person, still can: an administrator lifts the lock (`people unlock`).

An id that nobody has is treated the same, so that nothing is learned from it.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from ledger.identity.attempts import KEPT_US, Attempts, Limit
from ledger.identity.database import AccountsDatabase, Part
from ledger.logins import LOCKED_US
from ledger.store.sql import queries

PART: Final = Part(name="places", script="places.sql", package="ledger.identity")
KNOWN_US: Final = 90 * 24 * 3_600_000_000

_Q: Final = queries("places_queries.sql", "ledger.identity")
_PAUSE: Final = Limit(failures=1, lock_us=LOCKED_US, window_us=LOCKED_US)


class Guesses:
    """The guesses at one ledger's logins; processes share them by the file."""

    def __init__(self, database: AccountsDatabase, secret: bytes, attempts: Attempts) -> None:
        database.add(PART)
        self._database = database
        self._attempts = attempts
        self._key = hmac.digest(secret, b"trial-ledger/places/v1", "sha256")

    def wait_s(self, person: str, address: str, now_us: int) -> int:
        """Return for how many seconds an address waits before it may try an id again; 0 where it need not."""
        if self._is_known(person, address, now_us):
            return 0
        until_us = self._attempts.locked_until("pause", _pair(person, address))
        return max(0, -(-(until_us - now_us) // 1_000_000))

    def failed(self, person: str, address: str, failures: int, now_us: int) -> bool:
        """Count a failure; tell whether the address has had all of `failures`, the last one included."""
        if self._is_known(person, address, now_us):
            return False
        spent = Limit(failures=failures, lock_us=KEPT_US)
        if not self._attempts.failed("guess", _pair(person, address), now_us, spent):
            return False
        self._attempts.failed("pause", _pair(person, address), now_us, _PAUSE)
        return True

    def let_in(self, person: str, address: str, now_us: int) -> None:
        """Keep that a person was let in from an address, which is written at most once a day."""
        rows = self._database.read(_Q["known"], self._keys(person, address))
        if rows and now_us - int(rows[0][0]) < KEPT_US:
            return
        with self._database.writing() as connection:
            connection.execute(_Q["forget_places"], (now_us - KNOWN_US,))
            connection.execute(_Q["let_in"], (*self._keys(person, address), now_us))
        self._attempts.succeeded("guess", _pair(person, address))
        self._attempts.succeeded("pause", _pair(person, address))

    def _is_known(self, person: str, address: str, now_us: int) -> bool:
        rows = self._database.read(_Q["known"], self._keys(person, address))
        return bool(rows) and now_us - int(rows[0][0]) < KNOWN_US

    def _keys(self, person: str, address: str) -> tuple[str, str]:
        return self._mac("person", person), self._mac("address", address)

    def _mac(self, kind: str, text: str) -> str:
        message = f"{kind}\0{text[:512]}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()


def _pair(person: str, address: str) -> str:
    return f"{address}\0{person}"
