"""Keys in custody: the service holds them wrapped, and one signature's time unwrapped.

    made = make_key(person, secret, random_bytes)             # KEY of grade custodial, and its key file
    sign(wrapped, secret, body)                               # KEY_PASSPHRASE for a wrong secret
    rewrap(wrapped, old, new, random_bytes)                   # another secret, by who knows the old one

The private key is wrapped under the signer's own secret (Argon2id and AES-256-GCM, the format of `keyfile`):
nobody without the secret can sign: not an administrator, not a copy of the file. There is no reset. Who has
lost the secret makes another key, which is enrolled with its evidence while the old one is revoked, both in
the log. Whoever runs the service sees the secret pass: a signature in this grade proves what the operator
says, and verdicts count it by its grade (record-format.md §3).

After each signature the secret bytes are overwritten as far as Python lets one: its own copies, and what the
libraries copied inside may stay until the memory is used again.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from ledger import keys
from ledger.actions.accounts import Key
from ledger.envelope import pae
from ledger.errors import LedgerError, StoreError
from ledger.genesis import key_object
from ledger.keyfile import PASSPHRASE, Cost, Holder, KeyMaterial, format_key, parse_key

GRADE: Final = "custodial"
AT_ONCE: Final = 4
WAITS_S: Final = 10.0
_DERIVING: Final = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A key made here: what is enrolled of it, and its key file."""

    key: Key
    wrapped: str = field(repr=False)


def make_key(
    person: str, secret: str, random_bytes: Callable[[int], bytes], *, cost: Cost | None = None
) -> Made:
    """Make an Ed25519 key that this secret alone unlocks.

    Raises:
        LedgerError: `KEY_PASSPHRASE` for an empty secret.
    """
    material = KeyMaterial(alg=keys.ED25519, secret=random_bytes(32), holder=Holder(person=person))
    key = key_object(material.signing_key(), person, "custodial")
    with _few():
        wrapped = format_key(material, secret, cost=cost, random_bytes=random_bytes).decode()
    wipe(material.secret)
    return Made(key=key, wrapped=wrapped)


def unlock(wrapped: str, secret: str) -> KeyMaterial | None:
    """Return the key that a secret unlocks, None for a wrong one. Whoever asks wipes it.

    Raises:
        FormatError: `KEY_FILE` for bytes that are no key file.
    """
    try:
        with _few():
            return parse_key(wrapped.encode(), secret)
    except LedgerError as error:
        if error.code != PASSPHRASE:
            raise
        return None


def sign(material: KeyMaterial, body: bytes) -> keys.KeySignature:
    """Sign a statement's exact bytes with an unlocked key, and wipe it."""
    try:
        key = material.signing_key()
        return keys.KeySignature(alg=key.alg, key=key.id, sig=key.sign(pae(body)))
    finally:
        wipe(material.secret)


def rewrap(
    wrapped: str, old: str, new: str, random_bytes: Callable[[int], bytes], *, cost: Cost | None = None
) -> str | None:
    """Return the key file under a new secret, None where the old one is wrong.

    Raises:
        LedgerError: `KEY_PASSPHRASE` for an empty new secret.
    """
    material = unlock(wrapped, old)
    if material is None:
        return None
    try:
        with _few():
            return format_key(material, new, cost=cost, random_bytes=random_bytes).decode()
    finally:
        wipe(material.secret)


@contextmanager
def _few() -> Iterator[None]:
    """Let a few derive at once: each takes as much memory as its parameters say."""
    if not _DERIVING.acquire(timeout=WAITS_S):
        raise StoreError("STORE_BUSY", "too many keys are being unlocked")
    try:
        yield
    finally:
        _DERIVING.release()


def wipe(secret: bytes) -> None:
    """Overwrite bytes that nobody else needs, where the interpreter keeps them as CPython does."""
    if sys.implementation.name == "cpython" and len(secret) > 1:  # single bytes are shared by all
        ctypes.memset(id(secret) + bytes.__basicsize__ - 1, 0, len(secret))
