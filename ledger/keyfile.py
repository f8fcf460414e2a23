"""Key files: `trial-ledger-key-v1`, one private key in one JSON file that only its owner may read.

One line of canonical JSON and a line feed. Members:

    format      "trial-ledger-key-v1"
    alg         ed25519 | es256 | ml-dsa-65, which sign statements; ed25519 | ml-dsa-44, which sign
                checkpoints; kek, which wraps data keys
    public      base64 of the public point; absent for kek
    holder      optional, what the file says of itself, each a text: person, name, organisation, origin, label
    kdf         {"name": "argon2id", "iterations", "lanes", "memory_kib", "salt"}, RFC 9106, version 0x13
    cipher      {"name": "aes-256-gcm", "nonce"}
    ciphertext  base64 of AES-256-GCM(Argon2id(passphrase), nonce, the 32 secret bytes,
                AAD "trial-ledger-key-v1\\0" ‖ JCS of all other members)
    secret      base64 of the 32 secret bytes, in place of the last three: a key without a passphrase, for
                trying out

So every member is authenticated where there is a passphrase, and `public` is computed again in either form.
The secret is the seed of an Ed25519 key (RFC 8032), the private scalar of P-256, big-endian, ξ of an ML-DSA
key (FIPS 204), or the key-encryption key itself. A passphrase is taken in NFC, as UTF-8.

`load_key` also reads PKCS #8 PEM, plain or encrypted; such a file is not written here, because the common
tools derive its key with few rounds. Secrets appear in no `repr`, no text and no error.

Left out on purpose: where the passphrase comes from, and keys that software never sees (passkeys).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final
from unicodedata import normalize

import argon2.exceptions
import argon2.low_level
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ledger import canonical, keys
from ledger.errors import FormatError, LedgerError, SignatureError, StoreError
from ledger.lines import encode_base64, parse_base64

FORMAT: Final = "trial-ledger-key-v1"
KEK: Final = "kek"
ML_DSA_44: Final = "ml-dsa-44"
ALGORITHMS: Final = (keys.ED25519, keys.ES256, keys.ML_DSA_65, ML_DSA_44, KEK)
SECRET_BYTES: Final = 32
SALT_BYTES: Final = 16
NONCE_BYTES: Final = 12
MAX_BYTES: Final = 65_536
MAX_MEMORY_KIB: Final = 1 << 20
MAX_ITERATIONS: Final = 100
MAX_LANES: Final = 64

CODE: Final = "KEY_FILE"
PASSPHRASE: Final = "KEY_PASSPHRASE"  # noqa: S105 - a code, not a passphrase

_HOLDER: Final = ("person", "name", "organisation", "origin", "label")
_PEM: Final = b"-----BEGIN PRIVATE KEY-----"
_ENCRYPTED_PEM: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"

RandomBytes = Callable[[int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """What a key file says of its key: notes for people, which no signature rests on."""

    person: str | None = None
    name: str | None = None
    organisation: str | None = None
    origin: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMaterial:
    """A private key of 32 secret bytes, and whose it is."""

    alg: str
    secret: bytes = field(repr=False)
    holder: Holder = field(default_factory=Holder)

    def __post_init__(self) -> None:
        if self.alg not in ALGORITHMS:
            raise FormatError(CODE, f"expected one of {', '.join(ALGORITHMS)}", field="alg")
        if len(self.secret) != SECRET_BYTES:
            raise FormatError(CODE, f"expected {SECRET_BYTES} secret bytes, got {len(self.secret)}")

    def signing_key(self) -> keys.SigningKey:
        """Return the key that signs statements.

        Raises:
            SignatureError: KEY_ENCODING for an algorithm that statements are not signed with.
        """
        return keys.signing_key(self.alg, self.secret)

    def public(self) -> bytes | None:
        """Return the public point; None for a key that has none.

        Raises:
            SignatureError: KEY_ENCODING for a secret that is no private key.
        """
        if self.alg == KEK:
            return None
        if self.alg == ML_DSA_44:
            return mldsa.MLDSA44PrivateKey.from_seed_bytes(self.secret).public_key().public_bytes_raw()
        key = self.signing_key()
        return keys.load_public_key(key.alg, key.spki).point


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one guess at a passphrase costs. Argon2id, RFC 9106 §4: its second recommended choice."""

    iterations: int = 3
    lanes: int = 4
    memory_kib: int = 65_536


def write_key(
    path: Path,
    key: KeyMaterial,
    passphrase: str | None,
    *,
    cost: Cost | None = None,
    random_bytes: RandomBytes = os.urandom,
) -> None:
    """Write a key to a new file of mode 0600, whole or not at all; None writes it without a passphrase.

    Raises:
        FormatError, LedgerError: as `format_key`.
        StoreError: KEY_FILE_EXISTS, for a file is never overwritten; KEY_FILE_IO.
    """
    _write_new(path, format_key(key, passphrase, cost=cost, random_bytes=random_bytes))


def format_key(
    key: KeyMaterial,
    passphrase: str | None,
    *,
    cost: Cost | None = None,
    random_bytes: RandomBytes = os.urandom,
) -> bytes:
    """Return the bytes of a key file.

    Raises:
        FormatError: KEY_FILE for a key or a text that the format has no bytes for.
        LedgerError: KEY_PASSPHRASE for an empty passphrase.
    """
    members = _public_members(key)
    if passphrase is None:
        members["secret"] = encode_base64(key.secret)
    else:
        members["kdf"] = {
            "name": "argon2id",
            **asdict(cost or Cost()),
            "salt": encode_base64(random_bytes(SALT_BYTES)),
        }
        nonce = random_bytes(NONCE_BYTES)
        members["cipher"] = {"name": "aes-256-gcm", "nonce": encode_base64(nonce)}
        cipher = AESGCM(_derive(passphrase, members["kdf"]))
        members["ciphertext"] = encode_base64(cipher.encrypt(nonce, key.secret, _aad(members)))
    return canonical.encode(members) + b"\n"


def load_key(path: Path, passphrase: str | None) -> KeyMaterial:
    """Read a key file or a PKCS #8 PEM file. A passphrase that the file doesn't need is not used.

    Raises:
        StoreError: KEY_FILE_MISSING, KEY_FILE_IO.
        FormatError: KEY_FILE.
        LedgerError: KEY_PASSPHRASE when one is needed, or when it or the file's bytes are wrong.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise StoreError("KEY_FILE_MISSING", "expected a key file, found no such file") from None
    except OSError as error:
        raise StoreError("KEY_FILE_IO", f"the key file cannot be read: error {error.errno}") from None
    if len(data) > MAX_BYTES:
        raise FormatError(CODE, f"expected at most {MAX_BYTES} bytes")
    if data.lstrip().startswith(b"-----BEGIN "):
        return _parse_pem(data.lstrip(), passphrase)
    return parse_key(data, passphrase)


def needs_passphrase(path: Path) -> bool:
    """Tell whether `load_key` needs a passphrase for this file, so that nobody is asked in vain.

    Raises:
        StoreError: KEY_FILE_MISSING, KEY_FILE_IO.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise StoreError("KEY_FILE_MISSING", "expected a key file, found no such file") from None
    except OSError as error:
        raise StoreError("KEY_FILE_IO", f"the key file cannot be read: error {error.errno}") from None
    return data.lstrip().startswith(_ENCRYPTED_PEM) or b'"ciphertext":' in data


def _public_members(key: KeyMaterial) -> dict[str, Any]:
    members: dict[str, Any] = {"format": FORMAT, "alg": key.alg}
    try:
        public = key.public()
    except SignatureError as error:
        raise FormatError(CODE, error.message) from None
    if public is not None:
        members["public"] = encode_base64(public)
    holder = {name: text for name, text in asdict(key.holder).items() if text is not None}
    if holder:
        members["holder"] = holder
    return members


def parse_key(data: bytes, passphrase: str | None) -> KeyMaterial:
    """Read the bytes of a key file, the inverse of `format_key`.

    Raises:
        FormatError: KEY_FILE.
        LedgerError: KEY_PASSPHRASE when one is needed, or when it or the bytes are wrong.
    """
    try:
        members = canonical.decode(data.removesuffix(b"\n"))
    except FormatError:
        # The format's own words could name what stands in the file.
        raise FormatError(CODE, "expected one line of canonical JSON, or PKCS #8 PEM") from None
    plain = isinstance(members, dict) and "secret" in members
    form = ("secret",) if plain else ("cipher", "ciphertext", "kdf")
    members = _closed(members, "", ("format", "alg", *form), ("public", "holder"))
    if members["format"] != FORMAT:
        raise FormatError(CODE, f"expected the format {FORMAT}", field="format")
    holder = _closed(members.get("holder", {}), "holder", (), _HOLDER)
    for name in holder:
        _text(holder, name)
    alg = _text(members, "alg")
    secret = _bytes(members, "secret") if plain else _decrypt(members, passphrase)
    key = KeyMaterial(alg=alg, secret=secret, holder=Holder(**holder))
    if members.get("public") != _public_members(key).get("public"):
        raise FormatError(CODE, "expected the public key of this private key", field="public")
    return key


def _decrypt(members: dict[str, Any], passphrase: str | None) -> bytes:
    kdf = _closed(members["kdf"], "kdf", ("name", "iterations", "lanes", "memory_kib", "salt"), ())
    cipher = _closed(members["cipher"], "cipher", ("name", "nonce"), ())
    if kdf["name"] != "argon2id" or cipher["name"] != "aes-256-gcm":
        raise FormatError(CODE, "expected argon2id and aes-256-gcm")
    for name, maximum in (
        ("iterations", MAX_ITERATIONS), ("lanes", MAX_LANES), ("memory_kib", MAX_MEMORY_KIB)
    ):  # fmt: skip
        if type(kdf[name]) is not int or not 1 <= kdf[name] <= maximum:
            raise FormatError(CODE, f"expected a number from 1 to {maximum}", field=f"kdf.{name}")
    nonce = _bytes(cipher, "nonce")
    ciphertext = _bytes(members, "ciphertext")
    if len(nonce) != NONCE_BYTES or len(_bytes(kdf, "salt")) != SALT_BYTES:
        raise FormatError(CODE, f"expected a salt of {SALT_BYTES} and a nonce of {NONCE_BYTES} bytes")
    if passphrase is None:
        raise LedgerError(PASSPHRASE, "expected a passphrase for this key file, got none")
    try:
        return AESGCM(_derive(passphrase, kdf)).decrypt(nonce, ciphertext, _aad(members))
    except InvalidTag:
        raise LedgerError(PASSPHRASE, "the passphrase is wrong, or the key file was changed") from None


def _derive(passphrase: str, kdf: dict[str, Any]) -> bytes:
    if not passphrase:
        raise LedgerError(PASSPHRASE, "expected a passphrase, got an empty one")
    try:
        return argon2.low_level.hash_secret_raw(
            normalize("NFC", passphrase).encode(),
            _bytes(kdf, "salt"),
            time_cost=kdf["iterations"],
            memory_cost=kdf["memory_kib"],
            parallelism=kdf["lanes"],
            hash_len=SECRET_BYTES,
            type=argon2.low_level.Type.ID,
        )
    except (argon2.exceptions.HashingError, UnicodeEncodeError):
        raise LedgerError(PASSPHRASE, "no key can be derived by these parameters on this machine") from None


def _aad(members: dict[str, Any]) -> bytes:
    authenticated = {name: value for name, value in members.items() if name != "ciphertext"}
    return FORMAT.encode() + b"\0" + canonical.encode(authenticated)


def _parse_pem(data: bytes, passphrase: str | None) -> KeyMaterial:
    encrypted = data.startswith(_ENCRYPTED_PEM)
    if not encrypted and not data.startswith(_PEM):
        raise FormatError(CODE, "expected a PKCS #8 private key in PEM")
    if encrypted and passphrase is None:
        raise LedgerError(PASSPHRASE, "expected a passphrase for this key file, got none")
    try:
        private = load_pem_private_key(data, passphrase.encode() if encrypted and passphrase else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if encrypted:
            raise LedgerError(PASSPHRASE, "the passphrase is wrong, or the key file was changed") from None
        raise FormatError(CODE, "expected a PKCS #8 private key in PEM") from None
    match private:
        case ed25519.Ed25519PrivateKey():
            return KeyMaterial(alg=keys.ED25519, secret=private.private_bytes_raw())
        case ec.EllipticCurvePrivateKey() if isinstance(private.curve, ec.SECP256R1):
            scalar = private.private_numbers().private_value
            return KeyMaterial(alg=keys.ES256, secret=scalar.to_bytes(SECRET_BYTES, "big"))
        case mldsa.MLDSA65PrivateKey():
            return KeyMaterial(alg=keys.ML_DSA_65, secret=private.private_bytes_raw())
        case mldsa.MLDSA44PrivateKey():
            return KeyMaterial(alg=ML_DSA_44, secret=private.private_bytes_raw())
    raise FormatError(CODE, "expected a key of Ed25519, P-256, ML-DSA-65 or ML-DSA-44")


def _closed(value: Any, where: str, required: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FormatError(CODE, "expected an object", field=where or None)
    for name in required:
        if name not in value:
            raise FormatError(CODE, "expected this member, got none", field=f"{where}.{name}".lstrip("."))
    if not value.keys() <= {*required, *optional}:
        raise FormatError(CODE, "expected no other members", field=where or None)
    return value


def _text(members: dict[str, Any], name: str) -> str:
    value = members[name]
    if not isinstance(value, str):
        raise FormatError(CODE, "expected a text", field=name)
    return value


def _bytes(members: dict[str, Any], name: str) -> bytes:
    return parse_base64(_text(members, name), what=name, code=CODE)


def _write_new(path: Path, data: bytes) -> None:
    """Claim the name with an empty file, so that none is lost, then put the whole one in its place."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise StoreError("KEY_FILE_EXISTS", f"expected no file {path.name}, found one") from None
    except OSError as error:
        raise StoreError("KEY_FILE_IO", f"{path.name} cannot be made: {error.strerror}") from None
    try:
        _replace(path, data)
    except BaseException as error:
        with suppress(OSError):
            path.unlink()
        if isinstance(error, OSError):
            raise StoreError("KEY_FILE_IO", f"{path.name} cannot be written: {error.strerror}") from None
        raise


def _replace(path: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
