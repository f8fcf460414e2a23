"""Signed notes and cosignatures, against Go's vectors and those of the record format."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from typing import Any

import nacl.signing
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FormatError, LedgerError, SignatureError
from ledger.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_ML_DSA_44,
    ED25519,
    CosignatureSigner,
    Note,
    NoteSignature,
    NoteSigner,
    VerifierKey,
    check_note,
    format_note,
    format_vkey,
    parse_note,
    parse_vkey,
    signed_message,
)
from tests.shared import SHARED, VECTORS, needs_shared

GO_NOTES = SHARED / "vectors/public/signed-note/notes.json"
FORMAT = json.loads((VECTORS / "record-format.json").read_bytes())
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
HEAD = "ledger.example/one\n1\nn0VoxHyZeKjR3mP5HidG2As58irUEmhu9HVexrCC/Co=\n"


def seed(label: str) -> bytes:
    """Make a seed out of a label, as the vectors do."""
    return hashlib.sha256(label.encode()).digest()


LOG = NoteSigner("ledger.example/one", seed("log"))
PQ = CosignatureSigner("ledger.example/one", seed("pq"))
SIGNED = Note(text=HEAD, signatures=(LOG.sign(HEAD), PQ.sign(HEAD, 1_767_600_000)))


def go_notes() -> dict[str, Any]:
    """Read the vectors transcribed from golang.org/x/mod/sumdb/note."""
    vectors: dict[str, Any] = json.loads(GO_NOTES.read_bytes())
    return vectors


@needs_shared
def test_notes_of_other_implementations() -> None:
    """Each note is accepted with as many verified lines as Go counts, or refused."""
    for case in go_notes()["notes"]:
        try:
            keys = [parse_vkey(text) for text in case["vkeys"]]
            verified = len(check_note(parse_note(b64decode(case["note_b64"])), keys))
        except LedgerError:
            verified = None
        assert verified == (case["verified"] if case["ok"] else None), case["desc"]


@needs_shared
def test_a_signature_is_the_one_that_go_makes() -> None:
    """Ed25519 is deterministic, so the whole note is the vector's."""
    vectors = go_notes()
    name, _, material = vectors["skey_PeterNeumann"].removeprefix("PRIVATE+KEY+").split("+", 2)
    signer = NoteSigner(name, b64decode(material)[1:])
    note = Note(text=vectors["text"], signatures=(signer.sign(vectors["text"]),))
    assert format_vkey(signer.key) == NEUMANN
    assert format_note(note).decode() == vectors["sign_gives"]


@needs_shared
def test_bad_verifier_keys_of_other_implementations() -> None:
    """Padding that doesn't belong there, and an unknown type, are refused."""
    for text in go_notes()["bad_vkeys"]:
        with pytest.raises(FormatError, match=r"^VKEY\b"):
            parse_vkey(text)


def test_no_part_of_a_verifier_key_is_one() -> None:
    """Every strict substring of a good key is refused."""
    assert format_vkey(parse_vkey(NEUMANN)) == NEUMANN
    for start in range(len(NEUMANN)):
        for stop in range(start, len(NEUMANN) + 1):
            if (start, stop) != (0, len(NEUMANN)):
                with pytest.raises(FormatError, match=r"^VKEY\b"):
                    parse_vkey(NEUMANN[start:stop])


def test_a_changed_verifier_key_is_refused() -> None:
    """The key id covers name, type and key, so one character more breaks it."""
    for at, char in enumerate(NEUMANN):
        with pytest.raises(FormatError, match=r"^VKEY\b"):
            parse_vkey(NEUMANN[:at] + chr(ord(char) + 1) + NEUMANN[at + 1 :])


@pytest.mark.parametrize("algorithm", [0x00, 0x02, 0x05, 0xFF])
def test_other_types_of_key_are_refused(algorithm: int) -> None:
    """Only types 0x01, 0x04 and 0x06 are known here, each with keys of one length."""
    with pytest.raises(FormatError, match=r"^VKEY\b"):
        VerifierKey(name="a", algorithm=algorithm, public=bytes(32))
    for known in (ED25519, COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44):
        with pytest.raises(FormatError, match=r"^VKEY\b"):
            VerifierKey(name="a", algorithm=known, public=bytes(33))


@pytest.mark.parametrize(
    "name", ["", "a b", "a+b", "a\u00a0b", "a\u2003b", "a\nb", "a\x7f", "\ud800", "a" * 256]
)
def test_names_that_would_not_stay_apart_are_refused(name: str) -> None:
    """A key name has no space, plus or control character, and fits one length byte."""
    with pytest.raises(FormatError, match=r"^VKEY\b"):
        VerifierKey(name=name, algorithm=ED25519, public=bytes(32))


def test_format_vectors() -> None:
    """Keys, the cosigned message and the published checkpoint are those of the record format."""
    keys = [parse_vkey(text) for text in FORMAT["log_vkeys"]]
    assert NoteSigner(FORMAT["origin"], seed(FORMAT["log_key_label"])).key == keys[0]
    assert CosignatureSigner(FORMAT["origin"], seed(FORMAT["log_pq_seed_label"])).key == keys[1]
    data = FORMAT["published_checkpoint"].encode()
    note = parse_note(data)
    assert format_note(note) == data
    ed25519, ml_dsa = check_note(note, keys)
    assert (ed25519.time_s, ml_dsa.time_s) == (None, 0x695B6F80)
    assert (len(ed25519.signature), len(ml_dsa.signature)) == (64, 2420)
    assert signed_message(keys[1], note.text, ml_dsa.time_s).hex() == FORMAT["ml_dsa_cosigned_message_hex"]


def test_what_is_signed_here_checks_here() -> None:
    """Lines come back in the note's order, with the time that a cosignature states."""
    parsed = parse_note(format_note(SIGNED))
    assert parsed == SIGNED
    assert [(each.key, each.time_s) for each in check_note(parsed, [PQ.key, LOG.key])] == [
        (LOG.key, None),
        (PQ.key, 1_767_600_000),
    ]


def test_an_ed25519_cosignature() -> None:
    """Type 0x04 signs a header line and a time line before the text (c2sp.org/tlog-cosignature)."""
    signing = nacl.signing.SigningKey(seed("witness"))
    key = VerifierKey(name="witness.example/w", algorithm=0x04, public=bytes(signing.verify_key))
    signature = signing.sign(b"cosignature/v1\ntime 1679315147\n" + HEAD.encode()).signature
    line = NoteSignature(name=key.name, id=key.id, signature=(1_679_315_147).to_bytes(8, "big") + signature)
    (checked,) = check_note(Note(text=HEAD, signatures=(line,)), [key])
    assert (checked.time_s, checked.signature) == (1_679_315_147, signature)
    earlier = NoteSignature(name=key.name, id=key.id, signature=bytes(8) + signature)
    with pytest.raises(SignatureError, match=r"^NOTE_SIGNATURE\b"):
        check_note(Note(text=HEAD, signatures=(earlier,)), [key])


def test_lines_of_unknown_keys_are_ignored() -> None:
    """A line counts only when name and id are known, whatever else is in the note."""
    stranger = NoteSigner("ledger.example/one", seed("stranger"))  # same name, another id
    renamed = NoteSignature(name="other.example", id=LOG.key.id, signature=bytes(64))  # same id, another name
    note = Note(text=HEAD, signatures=(stranger.sign(HEAD), renamed, *SIGNED.signatures))
    assert len(check_note(note, [LOG.key])) == 1
    with pytest.raises(SignatureError, match=r"^NOTE_UNSIGNED\b"):
        check_note(Note(text=HEAD, signatures=(stranger.sign(HEAD), renamed)), [LOG.key])


@pytest.mark.parametrize("length", [0, 1, 63, 65, 72])
def test_a_line_of_a_known_key_that_fails_rejects_the_note(length: int) -> None:
    """One good line does not make up for another that does not hold."""
    wrong = NoteSignature(name=LOG.key.name, id=LOG.key.id, signature=bytes(length))
    with pytest.raises(SignatureError, match=r"^NOTE_SIGNATURE: wrong length"):
        check_note(Note(text=HEAD, signatures=(SIGNED.signatures[1], wrong)), [LOG.key, PQ.key])


def test_two_different_lines_of_one_key_are_refused() -> None:
    """A known key says one thing; which of two lines counts is not for a reader to choose."""
    later = PQ.sign(HEAD, 1_767_600_001)
    note = Note(text=HEAD, signatures=(*SIGNED.signatures, later))
    with pytest.raises(SignatureError, match=r"^NOTE_SIGNATURE: two signatures by"):
        check_note(note, [LOG.key, PQ.key])


def test_a_cosigner_signs_tree_heads_only() -> None:
    """A text that is no tree head is neither signed nor believed."""
    for text in ("hello\n", HEAD + "extension\n", "a\n01\n" + HEAD.split("\n")[2] + "\n"):
        with pytest.raises(FormatError, match=r"^NOTE\b"):
            PQ.sign(text, 1)
        with pytest.raises(SignatureError, match=r"^NOTE_SIGNATURE\b"):
            check_note(Note(text=text, signatures=(SIGNED.signatures[1],)), [PQ.key])


@pytest.mark.parametrize("time_s", [-1, 2**63])
def test_a_time_is_below_2_63(time_s: int) -> None:
    """Times that the format can't hold are refused."""
    with pytest.raises(FormatError, match=r"^NOTE\b"):
        PQ.sign(HEAD, time_s)


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_changed_byte_is_never_accepted_as_the_same(at: int, mask: int) -> None:
    """A changed note is refused, or says and carries something else in a line of no known key."""
    data = bytearray(format_note(SIGNED))
    data[at % len(data)] ^= mask
    try:
        note = parse_note(bytes(data))
        checked = check_note(note, [LOG.key, PQ.key])
    except LedgerError:
        return
    assert note.text == HEAD
    assert len(checked) == 1


BROKEN_NOTES = {
    "empty": b"",
    "no_signature": b"text\n",
    "no_signature_line": b"text\n\n",
    "no_final_line_feed": format_note(SIGNED)[:-1],
    "carriage_return": format_note(SIGNED).replace(b"\n", b"\r\n"),
    "tab": b"\t" + format_note(SIGNED),
    "not_utf_8": b"\xff" + format_note(SIGNED),
    "hyphen": format_note(SIGNED).replace("—".encode(), b"-"),
    "two_spaces": format_note(SIGNED).replace("— ".encode(), "—  ".encode()),
    "line_after_signatures": format_note(SIGNED) + b"more\n",
    "no_padding": format_note(SIGNED).replace(b"=\n", b"\n"),
    "trailing_bits": "text\n\n— name AAAAAAB=\n".encode(),
    "key_id_alone": "text\n\n— name AAAAAA==\n".encode(),
    "too_many_signatures": b"text\n\n" + "— name AAAAAAA=\n".encode() * 101,
    "too_large": b"a" * 1_000_000 + b"\n\n" + "— name AAAAAAA=\n".encode(),
}


@pytest.mark.parametrize("name", BROKEN_NOTES)
def test_broken_notes_are_refused(name: str) -> None:
    """Each defect is refused before any signature is looked at."""
    with pytest.raises(FormatError, match=r"^NOTE\b"):
        parse_note(BROKEN_NOTES[name])


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_else(data: bytes) -> None:
    """The parser gives a note that is written back the same, or a FormatError."""
    framed = b"text\n\n" + "— name ".encode() + b64encode(data) + b"\n"
    for each in (data, framed):
        try:
            note = parse_note(each)
        except FormatError:
            continue
        assert format_note(note) == each


def test_a_text_may_hold_empty_lines() -> None:
    """The last empty line separates text and signatures."""
    text = "one\n\ntwo\n\n\nthree\n"
    note = Note(text=text, signatures=(LOG.sign(text),))
    assert parse_note(format_note(note)) == note
    assert len(check_note(note, [LOG.key])) == 1
