"""Signed notes at their limits: what is just taken, what is just not, and with which code."""

from __future__ import annotations

import hashlib
from base64 import b64encode

import nacl.signing
import pytest

from ledger.errors import FormatError, SignatureError
from ledger.note import (
    COSIGNATURE_ED25519,
    ED25519,
    CosignatureSigner,
    Ed25519Cosigner,
    Note,
    NoteSignature,
    NoteSigner,
    VerifierKey,
    check_note,
    format_note,
    format_signature,
    format_vkey,
    parse_note,
    parse_vkey,
    repeats,
    signed_message,
)

ROOT = hashlib.sha256(b"root").digest()
HEAD = f"ledger.example/one\n7\n{b64encode(ROOT).decode()}\n"
SEED = hashlib.sha256(b"seed").digest()
LATEST = 2**63 - 1


def head(origin: str) -> str:
    """Write the text of a head of another log."""
    return HEAD.replace("ledger.example/one", origin)


def signed_by(*lines: NoteSignature) -> Note:
    """Make a note over the head."""
    return Note(text=HEAD, signatures=lines)


@pytest.mark.parametrize("time_s", [0, 1, LATEST])
def test_an_ed25519_cosigner_signs_the_bytes_of_the_page(time_s: int) -> None:
    """A header, the time and the text, by the key of the seed; 8 bytes of time precede the signature."""
    cosigner = Ed25519Cosigner("witness.example/w", SEED)
    secret = nacl.signing.SigningKey(SEED)
    assert cosigner.key == VerifierKey(
        name="witness.example/w", algorithm=COSIGNATURE_ED25519, public=bytes(secret.verify_key)
    )
    message = f"cosignature/v1\ntime {time_s}\n{HEAD}".encode()
    line = cosigner.sign(HEAD, time_s)
    assert line == NoteSignature(
        name="witness.example/w",
        id=cosigner.key.id,
        signature=time_s.to_bytes(8, "big") + secret.sign(message).signature,
    )
    (checked,) = check_note(signed_by(line), [cosigner.key])
    assert (checked.key, checked.time_s, checked.signature) == (cosigner.key, time_s, line.signature[8:])


@pytest.mark.parametrize("time_s", [0, LATEST])
def test_an_ml_dsa_cosignature_states_its_time(time_s: int) -> None:
    """8 bytes of time, then 2,420 of signature over the cosigned message of c2sp.org/tlog-cosignature."""
    cosigner = CosignatureSigner("ledger.example/one", SEED)
    line = cosigner.sign(HEAD, time_s)
    assert (line.name, line.id) == (cosigner.key.name, cosigner.key.id)
    assert (line.signature[:8], len(line.signature)) == (time_s.to_bytes(8, "big"), 2428)
    assert check_note(signed_by(line), [cosigner.key])[0].time_s == time_s


@pytest.mark.parametrize("time_s", [None, -1, LATEST + 1])
def test_a_cosignature_has_a_time(time_s: int | None) -> None:
    """Neither kind is made over none, or over one that 8 bytes with a sign can't hold."""
    for cosigner in (CosignatureSigner("a", SEED), Ed25519Cosigner("a", SEED)):
        with pytest.raises(FormatError, match=r"^NOTE: expected a time"):
            signed_message(cosigner.key, HEAD, time_s)


@pytest.mark.parametrize(("length", "right"), [(1, True), (255, True), (256, False)])
def test_an_origin_fits_its_length_byte(length: int, right: bool) -> None:
    """In the cosigned message one byte counts those of the origin."""
    key, text = CosignatureSigner("b", SEED).key, head("a" * length)
    if right:
        message = signed_message(key, text, 1)
        assert message == b"".join(
            (
                b"subtree/v1\n\x00\x01b",
                (1).to_bytes(8, "big"),
                bytes([length]) + b"a" * length,
                bytes(8) + (7).to_bytes(8, "big") + ROOT,
            )
        )
    else:
        with pytest.raises(FormatError, match=r"^NOTE: "):
            signed_message(key, text, 1)


@pytest.mark.parametrize("name", ["a", "X", "é", "a" * 255, "ü" * 127 + "a", "\ue000"])
def test_a_name_has_1_to_255_bytes(name: str) -> None:
    """The shortest and the longest names are names, counted in bytes of UTF-8."""
    key = NoteSigner(name, SEED).key
    assert parse_vkey(format_vkey(key)) == key


@pytest.mark.parametrize("name", ["", "ü" * 128, "a" * 256, "a b", "a+b", "\udfff", "\x1f", "a\x7f"])
def test_other_names_have_the_code_of_what_they_stand_in(name: str) -> None:
    """In a verifier key VKEY, in a signature line NOTE."""
    with pytest.raises(FormatError, match=r"^VKEY: expected a key name"):
        VerifierKey(name=name, algorithm=ED25519, public=bytes(32))
    line = format_signature(NoteSignature(name=name, id=bytes(4), signature=b"s"))
    data = f"text\n\n{line}".encode("utf-8", "surrogatepass")
    with pytest.raises(FormatError, match=r"^NOTE: "):
        parse_note(data)


def test_a_line_carries_at_least_one_byte_of_signature() -> None:
    """Four bytes of key id and one more; the id alone is no line."""
    shortest = Note(text="text\n", signatures=(NoteSignature(name="a", id=b"1234", signature=b"5"),))
    assert parse_note(format_note(shortest)) == shortest
    with pytest.raises(FormatError, match=r"^NOTE: expected a key id and a signature, got 4 bytes"):
        parse_note("text\n\n— a MTIzNA==\n".encode())


@pytest.mark.parametrize(("count", "right"), [(100, True), (101, False)])
def test_a_note_has_at_most_100_lines(count: int, right: bool) -> None:
    """The hundredth is read, the next is refused."""
    data = b"text\n\n" + "— a AAAAAAA=\n".encode() * count
    if right:
        assert len(parse_note(data).signatures) == count
    else:
        with pytest.raises(FormatError, match=r"^NOTE: expected at most 100"):
            parse_note(data)


@pytest.mark.parametrize(
    "data", ["— a AAAAAAA=\n", "\n— a AAAAAAA=\n", "text\n\n— a AAAAAAA=X", "text\n— a AAAAAAA=\n"]
)
def test_lines_alone_or_without_an_end_are_no_note(data: str) -> None:
    """Text, empty line, lines, and a final line feed: one of them missing is refused."""
    with pytest.raises(FormatError, match=r"^NOTE: expected a text"):
        parse_note(data.encode())


def test_a_repeated_line_counts_once() -> None:
    """The same bytes twice say nothing new, and nothing else either."""
    signer = NoteSigner("a", SEED)
    line = signer.sign(HEAD)
    assert len(check_note(signed_by(line, line), [signer.key])) == 1


@pytest.mark.parametrize("times", [2, 3])
def test_a_key_listed_twice_is_refused(times: int) -> None:
    """Two listed keys of one name and id can't be told apart in a note, so neither counts."""
    signer = NoteSigner("a", SEED)
    note = signed_by(signer.sign(HEAD))
    with pytest.raises(SignatureError, match=r"^NOTE_SIGNATURE: two known keys are a"):
        check_note(note, [signer.key] * times)


def test_which_keys_repeat() -> None:
    """Lines of known keys are counted by name and id, whatever they carry."""
    one, other = NoteSigner("a", SEED), NoteSigner("b", SEED)
    twice = signed_by(one.sign(HEAD), other.sign(HEAD), one.sign("other\n"))
    assert repeats(twice, [one.key, other.key])
    assert not repeats(twice, [other.key])
    assert not repeats(twice, [])
    assert not repeats(signed_by(one.sign(HEAD), other.sign(HEAD)), [one.key, other.key])


@pytest.mark.parametrize(
    "text", ["a+00000000+AQ==", "a+00000000+=", "a+0000000+AQ==", "a b+00000000+AQ==", "a+00000000+/w=="]
)
def test_other_verifier_keys_are_refused(text: str) -> None:
    """A type byte and a key of its length, under a name, with the key's own id."""
    with pytest.raises(FormatError, match=r"^VKEY: "):
        parse_vkey(text)
