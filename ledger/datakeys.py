"""Data keys: what keeps sealed values closed, and what is destroyed to erase them. Record-format §7.

A disclosure D stands outside the log, encrypted under the data key of its stream and scope:

    plaintext  = D ‖ 0x80 ‖ zeros up to a multiple of 256 bytes (ISO/IEC 7816-4 padding, always present)
    ciphertext = AES-256-GCM(data key, 12 random bytes, plaintext,
                             AAD "trial-ledger/sealed/v1\\0" ‖ E as 32 bytes ‖ path)
    wrapped    = nonce ‖ AES-256-GCM(key-encryption key, nonce, data key,
                             AAD "trial-ledger/data-key/v1\\0" ‖ stream ‖ "\\0" ‖ scope)

So a ciphertext opens at its own event and path alone, and its length tells only the step. Wrapped keys are in
a place of their own (`store.wrapped_keys`), made by `create` and by nothing else: one that is missing is an
error, because new keys in its place would hide that everything sealed so far is lost. A key is durable before
it is first used.

`destroy` overwrites the wrapped key; whatever was sealed under it stays closed for ever, in every copy of the
database. A later value of that stream and scope gets a new key. Threads and processes may share the place:
each use asks it for a change by others before it trusts a key in memory. Sealing and destroying exclude
each other only under the ledger's write lock, which callers hold.

Left out on purpose: which values are sealed (the catalogue), where ciphertexts are kept (the store), backups
of the place, whose copies hold destroyed keys until they are gone, and a change of the key-encryption key.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.errors import FormatError, StoreError
from ledger.store.wrapped_keys import KeyFile, WrappedKeys

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
PADDING_STEP: Final = 256

KEK_WRONG: Final = "KEK_WRONG"
MISSING: Final = "DATA_KEY_MISSING"
DESTROYED: Final = "DATA_KEY_DESTROYED"
UNREADABLE: Final = "DISCLOSURE_UNREADABLE"

_CHECK: Final = b"trial-ledger/kek-check/v1"

RandomBytes = Callable[[int], bytes]


class DataKeys:
    """The data keys of one ledger, in one place. `repr` shows where, and nothing else."""

    def __init__(self, place: Path | WrappedKeys, kek: bytes, random_bytes: RandomBytes) -> None:
        """Open an existing file, or take over an open place, which is closed again where this fails.

        Raises:
            StoreError: STORE_MISSING, STORE_CORRUPT, STORE_VERSION, STORE_BUSY, STORE_IO, or KEK_WRONG when
                it was made with another key-encryption key.
        """
        self._kek = _kek(kek)
        self._random_bytes = random_bytes
        self._lock = threading.RLock()
        self._live: dict[tuple[str, str], bytes] = {}
        self._rows: WrappedKeys = KeyFile(place) if isinstance(place, Path) else place
        try:
            self._check_kek()
        except BaseException:
            self._rows.close()
            raise

    @classmethod
    def create(cls, path: Path, kek: bytes, random_bytes: RandomBytes) -> Self:
        """Make a new, empty file for this key-encryption key of 32 bytes.

        Raises:
            StoreError: STORE_EXISTS, STORE_MISSING for its directory, STORE_FULL, STORE_IO.
        """
        KeyFile.make(path, new_check(kek, random_bytes))
        return cls(path, kek, random_bytes)

    def __repr__(self) -> str:
        return f"<DataKeys {self._rows.where}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def key_for(self, stream: str, scope: str) -> bytes:
        """Return the live key of a stream and scope; the first use makes one and commits it.

        Raises:
            StoreError: KEK_WRONG, STORE_BUSY, STORE_FULL, STORE_IO, STORE_CORRUPT.
        """
        with self._lock:
            found = self._find(stream, scope)
            if found is None:
                self.make([(stream, scope)])
                found = self._live[stream, scope]
            return found

    def make(self, names: Iterable[tuple[str, str]]) -> None:
        """Make what is missing of the live keys of these streams and scopes, in one transaction.

        Raises:
            StoreError: as `key_for`.
        """
        with self._lock:
            missing = [name for name in dict.fromkeys(names) if self._find(*name) is None]
            if missing:
                live = self._rows.put(missing, self._new)
                self._live.update({name: self._unwrapped(name, wrapped) for name, wrapped in live.items()})

    def seal(self, event: str, path: str, stream: str, scope: str, disclosure: str) -> tuple[bytes, bytes]:
        """Encrypt the disclosure at `path` of the event with this hash; return nonce and ciphertext.

        Raises:
            FormatError: the event hash is not 64 hex digits, or the disclosure not ASCII.
            StoreError: as `key_for`.
        """
        aad = _aad(event, path)
        cipher = AESGCM(self.key_for(stream, scope))
        nonce = self._random_bytes(NONCE_BYTES)
        return nonce, cipher.encrypt(nonce, _pad(disclosure), aad)

    def open(self, event: str, path: str, stream: str, scope: str, nonce: bytes, ciphertext: bytes) -> str:
        """Decrypt what `seal` made; never makes a key.

        Raises:
            FormatError: the event hash is not 64 hex digits.
            StoreError: DATA_KEY_DESTROYED, DATA_KEY_MISSING, DISCLOSURE_UNREADABLE for another key, event or
                path or for changed bytes, and as `key_for`.
        """
        aad = _aad(event, path)
        with self._lock:
            key = self._find(stream, scope)
            if key is None:
                raise self._absent(stream, scope)
        if len(nonce) != NONCE_BYTES:
            raise StoreError(UNREADABLE, f"expected a nonce of {NONCE_BYTES} bytes, got {len(nonce)}")
        try:
            return _unpad(AESGCM(key).decrypt(nonce, ciphertext, aad))
        except InvalidTag:
            raise StoreError(UNREADABLE, "expected bytes sealed here under the live key") from None

    def destroy(self, stream: str, scope: str) -> bool:
        """Destroy the live key of a stream and scope; tell whether there was one. It cannot be undone.

        Raises:
            StoreError: STORE_BUSY, STORE_FULL, STORE_IO, STORE_CORRUPT. Nothing is destroyed then.
        """
        with self._lock:
            self._live.pop((stream, scope), None)
            return self._rows.destroy(stream, scope)

    def is_live(self, stream: str, scope: str) -> bool:
        """Tell whether there is a live key of a stream and scope; never makes one.

        Raises:
            StoreError: STORE_BUSY, STORE_IO, STORE_CORRUPT.
        """
        with self._lock:
            return self._find(stream, scope) is not None

    @property
    def wrapped(self) -> WrappedKeys:
        """The place, for what copies it: nothing in it is open."""
        return self._rows

    def close(self) -> None:
        """Release the place and forget the keys; closing twice is allowed."""
        with self._lock:
            self._live.clear()
            self._rows.close()

    def _find(self, stream: str, scope: str) -> bytes | None:
        """Return the live key, from memory unless somebody else may have changed something since."""
        name = (stream, scope)
        if self._rows.changed():
            self._live.clear()
        if name not in self._live:
            wrapped = self._rows.live(stream, scope)
            if wrapped is None:
                return None
            self._live[name] = self._unwrapped(name, wrapped)
        return self._live[name]

    def _new(self, name: tuple[str, str]) -> bytes:
        """Make a key and wrap it."""
        key, nonce = self._random_bytes(KEY_BYTES), self._random_bytes(NONCE_BYTES)
        return nonce + self._kek.encrypt(nonce, key, _wrapping(*name))

    def _unwrapped(self, name: tuple[str, str], wrapped: bytes) -> bytes:
        try:
            return self._kek.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _wrapping(*name))
        except InvalidTag:
            raise StoreError("STORE_CORRUPT", "a wrapped data key does not open under its name") from None

    def _absent(self, stream: str, scope: str) -> StoreError:
        if self._rows.known(stream, scope):
            return StoreError(DESTROYED, "the data key of this stream and scope was destroyed")
        return StoreError(MISSING, "no data key was ever made for this stream and scope")

    def _check_kek(self) -> None:
        sealed = self._rows.check() or bytes(NONCE_BYTES + 16)
        try:
            self._kek.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _CHECK)
        except InvalidTag:
            raise StoreError(
                KEK_WRONG, "expected the key-encryption key that these data keys were made with"
            ) from None


def new_check(kek: bytes, random_bytes: RandomBytes) -> bytes:
    """Return what a new place keeps, so that no other key-encryption key is taken for its own."""
    nonce = random_bytes(NONCE_BYTES)
    return nonce + _kek(kek).encrypt(nonce, b"", _CHECK)


def _kek(kek: bytes) -> AESGCM:
    if len(kek) != KEY_BYTES:
        raise StoreError(KEK_WRONG, f"expected a key-encryption key of {KEY_BYTES} bytes, got {len(kek)}")
    return AESGCM(kek)


def _aad(event: str, path: str) -> bytes:
    try:
        digest = bytes.fromhex(event)
    except ValueError:
        digest = b""
    if len(digest) != 32 or digest.hex() != event:
        raise FormatError("EVENT_HASH", "expected an event hash of 64 lower-case hex digits", field="event")
    return b"trial-ledger/sealed/v1\0" + digest + path.encode()


def _wrapping(stream: str, scope: str) -> bytes:
    return f"trial-ledger/data-key/v1\0{stream}\0{scope}".encode()


def _pad(disclosure: str) -> bytes:
    if not disclosure.isascii():
        raise FormatError("DISCLOSURE", "expected a disclosure in base64url")
    padded = disclosure.encode("ascii") + b"\x80"
    return padded + bytes(-len(padded) % PADDING_STEP)


def _unpad(padded: bytes) -> str:
    text, mark, zeros = padded.rpartition(b"\x80")
    if not mark or zeros.strip(b"\0") or not text.isascii():
        raise StoreError(UNREADABLE, "expected a padded disclosure")
    return text.decode("ascii")
