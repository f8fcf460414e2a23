"""Verifiers of passwords: argon2id, the same work for everybody, parameters that can grow.

    passwords = Passwords(database, secret, settings)
    passwords.set(person, password, now_us)            # PASSWORD_LENGTH, PASSWORD_GUESSABLE
    passwords.check(person, password)                  # False also for who has none, after the same work

The password is taken in NFKC and goes with its person through HMAC-SHA256 under a key of the service before
argon2id (RFC 9106): without that key a copy of `accounts.db` lets nobody guess, and a verifier that is
written there, or moved to another person's row, lets nobody in. The parameters stand in each verifier; one
that is weaker than the settings is replaced when its password is next known. How many are computed at once
is bounded, because each takes `argon2_memory_kib` of memory.

Left out on purpose: rules of composition and change by the calendar (NIST SP 800-63B §3.1.1.2 advises against
both), and whether the person may log in at all, which is in the log.
"""

from __future__ import annotations

import base64
import hmac
import threading
from collections.abc import Iterable
from typing import Final
from unicodedata import normalize

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from ledger.errors import FormatError, StoreError
from ledger.identity.database import AccountsDatabase, Part
from ledger.identity.settings import IdentitySettings
from ledger.store.sql import queries

PART: Final = Part(name="passwords", script="passwords.sql", package="ledger.identity")
MAX_CHARACTERS: Final = 1_024
AT_ONCE: Final = 4
WAIT_S: Final = 5.0
LENGTH: Final = "PASSWORD_LENGTH"
GUESSABLE: Final = "PASSWORD_GUESSABLE"

_Q: Final = queries("passwords_queries.sql", "ledger.identity")


class Passwords:
    """The verifiers of one ledger's people. Thread-safe."""

    def __init__(self, database: AccountsDatabase, secret: bytes, settings: IdentitySettings) -> None:
        database.add(PART)
        self._database = database
        self._key = hmac.digest(secret, b"trial-ledger/password/v1", "sha256")
        self._least = settings.password_length
        self._hasher = PasswordHasher(
            time_cost=settings.argon2_iterations,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_lanes,
            type=Type.ID,
        )
        self._at_once = threading.BoundedSemaphore(AT_ONCE)
        # What is checked for who has no password: as dear as a real one, and nobody's.
        self._nobodys = self._hash("", "nobody's password")

    def set(self, person: str, password: str, now_us: int, *, unlike: Iterable[str] = ()) -> None:
        """Keep the verifier of a new password.

        Raises:
            FormatError: `PASSWORD_LENGTH`; `PASSWORD_GUESSABLE` for one made of a name in `unlike`.
            StoreError: as `AccountsDatabase.writing`; STORE_BUSY when too many are computed.
        """
        self.check_form(password, unlike=(person, *unlike))
        verifier = self._hash(person, password)
        with self._database.writing() as connection:
            connection.execute(_Q["set_verifier"], (person, verifier, now_us))

    def check_form(self, password: str, *, unlike: Iterable[str] = ()) -> None:
        """Check what is asked of a new password: its length, and that it is no name written out.

        Raises:
            FormatError: `PASSWORD_LENGTH`, `PASSWORD_GUESSABLE`.
        """
        text = normalize("NFKC", password)
        if not self._least <= len(text) <= MAX_CHARACTERS:
            raise FormatError(LENGTH, f"expected a password of {self._least} characters or more")
        plain = text.casefold().replace(" ", "")
        if len(set(plain)) < 3 or any(_repeats(plain, name) for name in unlike):
            raise FormatError(GUESSABLE, "expected a password that is no name and no one character repeated")

    def check(self, person: str, password: str) -> bool:
        """Tell whether this is the person's password; who has none costs the same work.

        Raises:
            StoreError: as `AccountsDatabase.read`; STORE_BUSY when too many are computed.
        """
        rows = self._database.read(_Q["verifier"], (person,))
        verifier: str = rows[0][0] if rows else self._nobodys
        if not self._holds(verifier, person, password) or not rows:
            return False
        if self._hasher.check_needs_rehash(verifier):
            stronger = self._hash(person, password)
            with self._database.writing() as connection:
                connection.execute(_Q["rehash"], (stronger, person, verifier))
        return True

    def has_one(self, person: str) -> bool:
        """Tell whether a person has a password."""
        return bool(self._database.read(_Q["verifier"], (person,)))

    def remove(self, person: str) -> None:
        """Take a person's password away: only a one-time secret leads on."""
        with self._database.writing() as connection:
            connection.execute(_Q["remove_verifier"], (person,))

    def people(self) -> dict[str, int]:
        """Return who has a password, and when it was set (UTC microseconds)."""
        return dict(self._database.read(_Q["people"]))

    def _hash(self, person: str, password: str) -> str:
        self._enter()
        try:
            return self._hasher.hash(self._mac(person, password))
        finally:
            self._at_once.release()

    def _holds(self, verifier: str, person: str, password: str) -> bool:
        self._enter()
        try:
            return self._hasher.verify(verifier, self._mac(person, password))
        except (VerificationError, InvalidHashError):
            return False
        finally:
            self._at_once.release()

    def _enter(self) -> None:
        if not self._at_once.acquire(timeout=WAIT_S):
            raise StoreError("STORE_BUSY", "too many passwords are being checked")

    def _mac(self, person: str, password: str) -> str:
        text = f"{person}\0{normalize('NFKC', password[: MAX_CHARACTERS * 2])}"
        digest = hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256")
        return base64.b64encode(digest).decode()


def _repeats(password: str, name: str) -> bool:
    """Tell whether a password is a name, once or over and over, digits at its end left out."""
    word = normalize("NFKC", name).casefold().replace(" ", "")
    left = password.rstrip("0123456789!.?")
    return bool(word) and (not left or not left.replace(word, ""))
