"""Key files: what is written is read, anything else is refused, and no secret shows."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from ledger import canonical, keys
from ledger.envelope import event_hash, pae
from ledger.errors import FormatError, LedgerError, SignatureError, StoreError
from ledger.keyfile import ALGORITHMS, Cost, Holder, KeyMaterial, load_key, needs_passphrase, write_key

SECRET = bytes(range(1, 33))
HOLDER = Holder(
    person="p-01", name="Zoë Ågren", organisation="Site A", origin="ledger.example/x", label="demo: public"
)
CHEAP = Cost(iterations=1, lanes=1, memory_kib=8)
PASSPHRASE = "correct horse"


def material(alg: str = "ed25519") -> KeyMaterial:
    return KeyMaterial(alg=alg, secret=SECRET, holder=HOLDER)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "key.json"


def write(path: Path, *, passphrase: str | None = PASSPHRASE, alg: str = "ed25519") -> dict[str, Any]:
    write_key(path, material(alg), passphrase, cost=CHEAP)
    members = json.loads(path.read_bytes())
    assert isinstance(members, dict)
    return members


def put(path: Path, members: Any) -> None:
    path.write_bytes(canonical.encode(members) + b"\n")


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE], ids=["plain", "passphrase"])
@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_key_comes_back(path: Path, alg: str, passphrase: str | None) -> None:
    """Every algorithm is written and read in both forms, with what the file says of its holder."""
    write(path, passphrase=passphrase, alg=alg)
    assert load_key(path, passphrase) == material(alg)
    assert needs_passphrase(path) == (passphrase is not None)


@pytest.mark.parametrize("alg", ["ed25519", "es256", "ml-dsa-65"])
def test_a_loaded_key_signs(path: Path, alg: str) -> None:
    """The key of a file signs statements that check under its public key."""
    write(path, alg=alg)
    key = load_key(path, PASSPHRASE).signing_key()
    body = b"{}"
    signature = keys.KeySignature(alg=alg, key=key.id, sig=key.sign(pae(body)))
    keys.check_signature(keys.load_public_key(alg, key.spki), pae(body), event_hash(body), signature)


@pytest.mark.parametrize("alg", ["ml-dsa-44", "kek"])
def test_other_keys_sign_no_statement(alg: str) -> None:
    """A key of checkpoints or of data keys is refused where a statement is to be signed."""
    with pytest.raises(SignatureError):
        material(alg).signing_key()


def test_a_passphrase_that_is_not_needed_is_not_used(path: Path) -> None:
    """A plain file opens whatever passphrase the environment gives."""
    write(path, passphrase=None)
    assert load_key(path, "whatever").secret == SECRET


def test_default_cost_is_the_recommended_one(path: Path) -> None:
    """Without another wish, Argon2id runs with RFC 9106's second recommended parameters, told in the file."""
    write_key(path, material(), PASSPHRASE)
    kdf = json.loads(path.read_bytes())["kdf"]
    assert (kdf["name"], kdf["iterations"], kdf["lanes"], kdf["memory_kib"]) == ("argon2id", 3, 4, 65_536)
    assert load_key(path, PASSPHRASE) == material()


def test_two_files_of_one_key_share_nothing_secret(tmp_path: Path) -> None:
    """Salt, nonce and ciphertext are new in each file."""
    one, two = write(tmp_path / "1"), write(tmp_path / "2")
    assert one["kdf"]["salt"] != two["kdf"]["salt"]
    assert one["cipher"]["nonce"] != two["cipher"]["nonce"]
    assert one["ciphertext"] != two["ciphertext"]


def test_spellings_of_a_passphrase_are_one(path: Path) -> None:
    """A passphrase typed with composed or with combining characters is the same."""
    write(path, passphrase="Zo\u00eb")
    assert load_key(path, "Zoe\u0308").secret == SECRET


@pytest.mark.parametrize("given", ["wrong", None, ""])
def test_a_wrong_passphrase_is_told(path: Path, given: str | None) -> None:
    """A wrong, missing or empty passphrase has one code, and nothing of key or passphrase in any text."""
    write(path)
    with pytest.raises(LedgerError) as caught:
        load_key(path, given)
    assert caught.value.code == "KEY_PASSPHRASE"
    text = "".join(traceback.format_exception(caught.value))
    assert "wrong, or" in text or "expected a passphrase" in text
    assert SECRET.hex() not in text
    assert "InvalidTag" not in text


def test_an_empty_passphrase_protects_nothing(path: Path) -> None:
    """An empty passphrase is refused and leaves no file."""
    with pytest.raises(LedgerError) as caught:
        write_key(path, material(), "", cost=CHEAP)
    assert caught.value.code == "KEY_PASSPHRASE"
    assert list(path.parent.iterdir()) == []


def flip(text: str) -> str:
    data = bytearray(base64.b64decode(text))
    data[0] ^= 1
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(ciphertext=flip(m["ciphertext"])),
        lambda m: m["cipher"].update(nonce=flip(m["cipher"]["nonce"])),
        lambda m: m["kdf"].update(salt=flip(m["kdf"]["salt"])),
        lambda m: m["kdf"].update(iterations=2),
        lambda m: m["kdf"].update(memory_kib=9),
        lambda m: m["holder"].update(person="p-02"),
        lambda m: m.pop("holder"),
        lambda m: m.update(public=flip(m["public"])),
        lambda m: m.pop("public"),
        lambda m: m.update(alg="es256"),
    ],
    ids=[
        "ciphertext",
        "nonce",
        "salt",
        "iterations",
        "memory",
        "holder",
        "no-holder",
        "public",
        "no-public",
        "alg",
    ],
)
def test_every_member_is_authenticated(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Under a passphrase no member of the file can be changed, parameters and holder included."""
    members = write(path)
    change(members)
    put(path, members)
    with pytest.raises(LedgerError) as caught:
        load_key(path, PASSPHRASE)
    assert caught.value.code == "KEY_PASSPHRASE"


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.pop("format"),
        lambda m: m.pop("kdf"),
        lambda m: m.pop("ciphertext"),
        lambda m: m.update(format="trial-ledger-key-v2"),
        lambda m: m.update(more="x"),
        lambda m: m.update(alg=1),
        lambda m: m.update(kdf=[]),
        lambda m: m.update(secret="AAAA"),
        lambda m: m.update(holder={"person": 1}),
        lambda m: m.update(holder={"shoe_size": "44"}),
        lambda m: m["kdf"].update(name="scrypt"),
        lambda m: m["kdf"].update(iterations=0),
        lambda m: m["kdf"].update(iterations=True),
        lambda m: m["kdf"].update(lanes=65),
        lambda m: m["kdf"].update(memory_kib=1 << 30),
        lambda m: m["kdf"].update(salt="AAAA"),
        lambda m: m["kdf"].update(salt=1),
        lambda m: m["kdf"].update(more=1),
        lambda m: m["cipher"].update(name="rot13"),
        lambda m: m["cipher"].update(nonce="AAAA"),
        lambda m: m["cipher"].update(nonce="AAA"),
    ],
)
def test_a_malformed_file_is_refused(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Missing, unknown and wrongly typed members, and costs that would hang a machine, are format errors."""
    members = write(path)
    change(members)
    put(path, members)
    with pytest.raises(FormatError) as caught:
        load_key(path, PASSPHRASE)
    assert caught.value.code == "KEY_FILE"


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(public=flip(m["public"])),
        lambda m: m.pop("public"),
        lambda m: m.update(alg="es256"),
        lambda m: m.update(alg="rsa"),
        lambda m: m.update(secret="AAAA"),
        lambda m: m.update(secret=flip(m["secret"])),
    ],
    ids=["public", "no-public", "another-alg", "unknown-alg", "short", "secret"],
)
def test_a_plain_file_is_checked_too(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Without a passphrase, secret, algorithm and public key must still fit one another."""
    members = write(path, passphrase=None)
    change(members)
    put(path, members)
    with pytest.raises(FormatError) as caught:
        load_key(path, None)
    assert caught.value.code == "KEY_FILE"
    assert base64.b64encode(SECRET).decode() not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"{}",
        b"null",
        b"[1]",
        b"{",
        b"\xff\xfe",
        b'{"format": "trial-ledger-key-v1"}\n',
        b"x" * 70_000,
    ],
    ids=lambda data: repr(data[:12]),
)
def test_other_bytes_are_refused(path: Path, data: bytes) -> None:
    """Bytes that are neither the format's nor PEM are a format error."""
    path.write_bytes(data)
    with pytest.raises(FormatError) as caught:
        load_key(path, None)
    assert caught.value.code == "KEY_FILE"


def test_only_the_owner_can_read(path: Path) -> None:
    """A key file has mode 0600 under any umask, and nothing else is left in its directory."""
    umask = os.umask(0)
    try:
        write(path)
    finally:
        os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_never_overwritten(path: Path) -> None:
    """Writing onto an existing file is refused and changes nothing."""
    write(path)
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        write(path)
    assert caught.value.code == "KEY_FILE_EXISTS"
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_missing_places_are_told(tmp_path: Path) -> None:
    """A missing file, a missing directory and a directory in place of a file have their codes."""
    with pytest.raises(StoreError) as caught:
        load_key(tmp_path / "none", None)
    assert caught.value.code == "KEY_FILE_MISSING"
    with pytest.raises(StoreError) as caught:
        needs_passphrase(tmp_path / "none")
    assert caught.value.code == "KEY_FILE_MISSING"
    with pytest.raises(StoreError) as caught:
        load_key(tmp_path, None)
    assert caught.value.code == "KEY_FILE_IO"
    with pytest.raises(StoreError) as caught:
        write(tmp_path / "none" / "key")
    assert caught.value.code == "KEY_FILE_IO"


def test_a_failed_write_leaves_nothing(path: Path) -> None:
    """A holder's text that the format refuses fails before a file is there."""
    key = KeyMaterial(alg="ed25519", secret=SECRET, holder=Holder(name="e\u0301"))
    with pytest.raises(FormatError):
        write_key(path, key, None)
    assert list(path.parent.iterdir()) == []


def test_a_secret_that_is_no_key_is_refused(path: Path) -> None:
    """A P-256 scalar outside 1 … n-1 is not written."""
    with pytest.raises(FormatError):
        write_key(path, KeyMaterial(alg="es256", secret=b"\xff" * 32), None)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(("alg", "secret"), [("rsa", SECRET), ("ed25519", b"short")])
def test_material_has_a_known_form(alg: str, secret: bytes) -> None:
    """Key material of an unknown algorithm or of another length does not come into being."""
    with pytest.raises(FormatError) as caught:
        KeyMaterial(alg=alg, secret=secret)
    assert caught.value.code == "KEY_FILE"


def test_no_text_shows_the_secret() -> None:
    """The text of key material tells algorithm and holder, never the secret."""
    text = f"{material()!r} {material()}"
    assert "p-01" in text
    assert "secret" not in text
    assert repr(SECRET) not in text
    assert SECRET.hex() not in text


PRIVATE_KEYS: dict[str, Any] = {
    "ed25519": ed25519.Ed25519PrivateKey.from_private_bytes(SECRET),
    "es256": ec.derive_private_key(int.from_bytes(SECRET, "big"), ec.SECP256R1()),
    "ml-dsa-65": mldsa.MLDSA65PrivateKey.from_seed_bytes(SECRET),
    "ml-dsa-44": mldsa.MLDSA44PrivateKey.from_seed_bytes(SECRET),
}


def pem(private: Any, encryption: KeySerializationEncryption) -> bytes:
    data: bytes = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return data


@pytest.mark.parametrize("alg", PRIVATE_KEYS)
def test_pem_is_read(path: Path, alg: str) -> None:
    """PKCS #8 PEM of the same secret gives the same key, plain or under its passphrase."""
    path.write_bytes(pem(PRIVATE_KEYS[alg], NoEncryption()))
    assert load_key(path, "not needed") == KeyMaterial(alg=alg, secret=SECRET)
    assert not needs_passphrase(path)
    path.write_bytes(pem(PRIVATE_KEYS[alg], BestAvailableEncryption(PASSPHRASE.encode())))
    assert load_key(path, PASSPHRASE) == KeyMaterial(alg=alg, secret=SECRET)
    assert needs_passphrase(path)


@pytest.mark.parametrize("given", ["wrong", "", None])
def test_encrypted_pem_needs_its_passphrase(path: Path, given: str | None) -> None:
    """A wrong, empty or missing passphrase for PEM is told by the same code."""
    path.write_bytes(pem(PRIVATE_KEYS["ed25519"], BestAvailableEncryption(PASSPHRASE.encode())))
    with pytest.raises(LedgerError) as caught:
        load_key(path, given)
    assert caught.value.code == "KEY_PASSPHRASE"


@pytest.mark.parametrize(
    "data",
    [
        pem(rsa.generate_private_key(public_exponent=65537, key_size=2048), NoEncryption()),
        pem(ec.generate_private_key(ec.SECP384R1()), NoEncryption()),
        pem(PRIVATE_KEYS["ed25519"], NoEncryption())[:60],
        b"-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----\n",
        PRIVATE_KEYS["es256"].private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
    ],
    ids=["rsa", "p384", "cut", "no-base64", "sec1"],
)
def test_other_pem_is_refused(path: Path, data: bytes) -> None:
    """Keys of other algorithms, broken PEM and older containers are format errors."""
    path.write_bytes(data)
    with pytest.raises(FormatError) as caught:
        load_key(path, None)
    assert caught.value.code == "KEY_FILE"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_keys_made_by_openssl_are_read(path: Path) -> None:
    """What `openssl genpkey` writes is a key that signs here."""
    for alg, options in (("ed25519", ["ed25519"]), ("es256", ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"])):
        subprocess.run(["openssl", "genpkey", "-algorithm", *options, "-out", str(path)], check=True)
        assert load_key(path, None).signing_key().alg == alg
