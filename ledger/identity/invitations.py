"""One-time secrets: how somebody gets a first password, or a new one after a reset.

    secret = invitations.make(person, now_us, random_bytes)     # printed once: K7QD-…
    invitations.redeem(person, secret, now_us)                   # True once, within 24 hours

A secret has 100 random bits, is kept as its MAC for that person, and is void once it was used or another was
made.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Final, Literal

from ledger.identity.database import AccountsDatabase
from ledger.identity.passwords import PART
from ledger.store.sql import queries

VALID_US: Final = 24 * 3_600_000_000
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
GROUPS: Final = 5
GROUP: Final = 4

Verdict = Literal["redeemed", "wrong", "expired"]

_Q: Final = queries("passwords_queries.sql", "ledger.identity")
_NOBODYS: Final = "0" * 64


class Invitations:
    """The open one-time secrets of one ledger, at most one for each person."""

    def __init__(self, database: AccountsDatabase, secret: bytes) -> None:
        database.add(PART)
        self._database = database
        self._key = hmac.digest(secret, b"trial-ledger/invitation/v1", "sha256")

    def make(self, person: str, now_us: int, random_bytes: Callable[[int], bytes]) -> str:
        """Make a secret for a person; any earlier one is void."""
        letters = [ALPHABET[byte & 31] for byte in random_bytes(GROUPS * GROUP)]
        text = "-".join("".join(letters[at : at + GROUP]) for at in range(0, len(letters), GROUP))
        with self._database.writing() as connection:
            connection.execute(_Q["invite"], (person, self._mac(person, text), now_us + VALID_US))
        return text

    def redeem(self, person: str, secret: str, now_us: int) -> Verdict:
        """Use a secret up; one caller alone is told `redeemed`."""
        rows = self._database.read(_Q["invitation"], (person,))
        kept, until_us = rows[0] if rows else (_NOBODYS, 0)
        if not hmac.compare_digest(kept, self._mac(person, secret)) or not rows:
            return "wrong"
        if now_us >= until_us:
            return "expired"
        with self._database.writing() as connection:
            used = connection.execute(_Q["redeem"], (person, kept)).rowcount > 0
        return "redeemed" if used else "wrong"

    def open(self, now_us: int) -> dict[str, int]:
        """Return who has a secret that can still be used, and until when (UTC microseconds)."""
        rows = self._database.read(_Q["invited"])
        return {person: until_us for person, until_us in rows if until_us > now_us}

    def _mac(self, person: str, secret: str) -> str:
        """Return the MAC of a secret as somebody types it: case, spaces and dashes do not matter."""
        message = f"{person}\0{_plain(secret)}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()


def _plain(secret: str) -> str:
    plain = secret.upper().replace("-", "").replace(" ", "").replace("O", "0")
    return plain.replace("I", "1").replace("L", "1")
