"""Data keys: what keeps sealed values closed, and what is destroyed to erase them. Record-format §7.

A disclosure D stands outside the log, encrypted under the data key of its stream and scope:

    plaintext  = D ‖ 0x80 ‖ zeros up to a multiple of 256 bytes (ISO/IEC 7816-4 padding, always present)
    ciphertext = AES-256-GCM(data key, 12 random bytes, plaintext,
                             AAD "trial-ledger/sealed/v1\\0" ‖ E as 32 bytes ‖ path)
    wrapped    = nonce ‖ AES-256-GCM(key-encryption key, nonce, data key,
                             AAD "trial-ledger/data-key/v1\\0" ‖ stream ‖ "\\0" ‖ scope)

So a ciphertext opens at its own event and path alone, and its length tells only the step. Wrapped keys are in
a file of their own, made by `create` and by nothing else: a file that is missing is an error, because new
keys in its place would hide that everything sealed so far is lost. A key is durable before it is first used.

`destroy` overwrites the wrapped key; whatever was sealed under it stays closed for ever, in every copy of the
database. A later value of that stream and scope gets a new key. Threads and processes may share the file:
each use asks the file for a change by others before it trusts a key in memory. Sealing and destroying exclude
each other only under the ledger's write lock, which callers hold.

Left out on purpose: which values are sealed (the catalogue), where ciphertexts are kept (the store), backups
of this file, whose copies hold destroyed keys until they are gone, and a change of the key-encryption key.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.errors import FormatError, StoreError
from ledger.store.sqlite_errors import translate
from ledger.store.sqlite_files import FileFormat, make_file, open_file

APPLICATION_ID: Final = 0x544C474B
SCHEMA_VERSION: Final = 1
FORM: Final = FileFormat(
    what="a file of data keys",
    application_id=APPLICATION_ID,
    version=SCHEMA_VERSION,
    script="datakeys.sql",
    write_ahead=False,
)
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
PADDING_STEP: Final = 256
BUSY_TIMEOUT_S: Final = 5.0

KEK_WRONG: Final = "KEK_WRONG"
MISSING: Final = "DATA_KEY_MISSING"
DESTROYED: Final = "DATA_KEY_DESTROYED"
UNREADABLE: Final = "DISCLOSURE_UNREADABLE"

_CHECK: Final = b"trial-ledger/kek-check/v1"
_PUT_CHECK: Final = "INSERT INTO kek_check (one, sealed) VALUES (1, ?)"

RandomBytes = Callable[[int], bytes]


class DataKeys:
    """The data keys of one ledger, in one SQLite file. `repr` shows the path alone."""

    def __init__(self, path: Path, kek: bytes, random_bytes: RandomBytes) -> None:
        """Open an existing file.

        Raises:
            StoreError: STORE_MISSING, STORE_CORRUPT, STORE_VERSION, STORE_BUSY, STORE_IO, or KEK_WRONG when
                the file was made with another key-encryption key.
        """
        self.path = path
        self._kek = _kek(kek)
        self._random_bytes = random_bytes
        self._lock = threading.RLock()
        self._live: dict[tuple[str, str], bytes] = {}
        self._seen_version = -1
        self._connection = open_file(path, FORM, BUSY_TIMEOUT_S, self._check_kek)

    @classmethod
    def create(cls, path: Path, kek: bytes, random_bytes: RandomBytes) -> Self:
        """Make a new, empty file for this key-encryption key of 32 bytes.

        Raises:
            StoreError: STORE_EXISTS, STORE_MISSING for its directory, STORE_FULL, STORE_IO.
        """
        nonce = random_bytes(NONCE_BYTES)
        check = nonce + _kek(kek).encrypt(nonce, b"", _CHECK)
        make_file(
            path,
            FORM,
            BUSY_TIMEOUT_S,
            lambda connection: connection.execute(_PUT_CHECK, (check,)),
        )
        return cls(path, kek, random_bytes)

    def __repr__(self) -> str:
        return f"<DataKeys {self.path}>"

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
            if not missing:
                return
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    made = {name: self._read(*name) or self._insert(*name) for name in missing}
                    self._connection.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):  # the first failure is the one to tell
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise translate(error) from error
            self._live.update(made)

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
            try:
                done = self._connection.execute(
                    "UPDATE data_keys SET destroyed = 1, wrapped = zeroblob(60)"
                    " WHERE stream = ? AND scope = ? AND destroyed = 0",
                    (stream, scope),
                )
            except sqlite3.Error as error:
                raise translate(error) from error
            return done.rowcount > 0

    def close(self) -> None:
        """Release the file and forget the keys; closing twice is allowed."""
        with self._lock:
            self._live.clear()
            self._connection.close()

    def _find(self, stream: str, scope: str) -> bytes | None:
        """Return the live key, from memory unless another connection has changed the file since."""
        try:
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
            if version != self._seen_version:
                self._live.clear()
                self._seen_version = version
            found = self._live.get((stream, scope)) or self._read(stream, scope)
        except sqlite3.Error as error:
            raise translate(error) from error
        if found is not None:
            self._live[stream, scope] = found
        return found

    def _read(self, stream: str, scope: str) -> bytes | None:
        row = self._connection.execute(
            "SELECT wrapped FROM data_keys WHERE stream = ? AND scope = ? AND destroyed = 0", (stream, scope)
        ).fetchone()
        if row is None:
            return None
        wrapped: bytes = row[0]
        try:
            return self._kek.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _wrapping(stream, scope))
        except InvalidTag:
            raise StoreError("STORE_CORRUPT", "a wrapped data key does not open under its name") from None

    def _insert(self, stream: str, scope: str) -> bytes:
        key = self._random_bytes(KEY_BYTES)
        nonce = self._random_bytes(NONCE_BYTES)
        wrapped = nonce + self._kek.encrypt(nonce, key, _wrapping(stream, scope))
        self._connection.execute(
            "INSERT INTO data_keys (stream, scope, wrapped) VALUES (?, ?, ?)", (stream, scope, wrapped)
        )
        return key

    def _absent(self, stream: str, scope: str) -> StoreError:
        try:
            destroyed = self._connection.execute(
                "SELECT 1 FROM data_keys WHERE stream = ? AND scope = ? LIMIT 1", (stream, scope)
            ).fetchone()
        except sqlite3.Error as error:
            raise translate(error) from error
        if destroyed:
            return StoreError(DESTROYED, "the data key of this stream and scope was destroyed")
        return StoreError(MISSING, "no data key was ever made for this stream and scope")

    def _check_kek(self, connection: sqlite3.Connection) -> None:
        row = connection.execute("SELECT sealed FROM kek_check").fetchone()
        sealed: bytes = row[0] if row else bytes(NONCE_BYTES + 16)
        try:
            self._kek.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _CHECK)
        except InvalidTag:
            raise StoreError(
                KEK_WRONG, "expected the key-encryption key that this file was made with"
            ) from None


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
