"""Heads and published checkpoints: who has to have signed, and what one body may say."""

from __future__ import annotations

import hashlib
import json

import pytest

from ledger.checkpoint import (
    Checkpoint,
    check_head,
    check_published,
    format_body,
    parse_body,
    publish,
    sign_head,
)
from ledger.errors import FormatError, SignatureError
from ledger.merkle import EMPTY_ROOT, MAX_SIZE
from ledger.note import CosignatureSigner, Note, NoteSigner, format_note, parse_note, parse_vkey
from ledger.policy import parse_policy
from tests.shared import SHARED, VECTORS, needs_shared

PUBLIC = SHARED / "vectors/public"
FORMAT = json.loads((VECTORS / "record-format.json").read_bytes())
TESSERA_KEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
ORIGIN = "ledger.example/one"
ROOT = hashlib.sha256(b"root").digest()
LOG = NoteSigner(ORIGIN, hashlib.sha256(b"log").digest())
PQ = CosignatureSigner(ORIGIN, hashlib.sha256(b"pq").digest())
WITNESS = CosignatureSigner("witness.example/w", hashlib.sha256(b"witness").digest())
CHECKPOINT = Checkpoint(origin=ORIGIN, size=7, root=ROOT)
HEAD = sign_head(CHECKPOINT, LOG)
PUBLISHED = publish(HEAD, [PQ], 1_767_600_000)
KEYS = [LOG.key, PQ.key]


def with_lines(*order: int) -> bytes:
    """Write the published checkpoint with these of its signature lines."""
    note = parse_note(PUBLISHED)
    return format_note(Note(text=note.text, signatures=tuple(note.signatures[at] for at in order)))


def test_heads_of_the_format() -> None:
    """Every head of the vectors is signed as given there, and holds under the log's keys."""
    signer = NoteSigner(FORMAT["origin"], hashlib.sha256(FORMAT["log_key_label"].encode()).digest())
    keys = [parse_vkey(text) for text in FORMAT["log_vkeys"]]
    for tree in FORMAT["trees"]:
        checkpoint = Checkpoint(origin=FORMAT["origin"], size=tree["size"], root=bytes.fromhex(tree["root"]))
        assert sign_head(checkpoint, signer).decode() == tree["head"]
        assert check_head(tree["head"].encode(), keys) == checkpoint


def test_published_checkpoint_of_the_format() -> None:
    """The published checkpoint of the vectors holds, and is a head too."""
    data = FORMAT["published_checkpoint"].encode()
    keys = [parse_vkey(text) for text in FORMAT["log_vkeys"]]
    assert check_published(data, keys) == check_head(data, keys)
    assert check_published(data, keys).size == 9


def test_the_minimal_bundle() -> None:
    """The bundle's checkpoint holds under its policy."""
    policy = parse_policy((VECTORS / "bundle-minimal.policy").read_bytes())
    data = (VECTORS / "bundle-minimal/checkpoint").read_bytes()
    assert check_published(data, policy.log_keys).size == 11


@needs_shared
@pytest.mark.parametrize("size", range(16))
def test_checkpoints_of_a_foreign_log(size: int) -> None:
    """Another implementation's checkpoints hold, the one of the empty tree included."""
    data = (PUBLIC / f"tessera-testlog/testdata/log/checkpoint.{size}").read_bytes()
    keys = [parse_vkey(TESSERA_KEY)]
    assert check_head(data, keys).size == size
    assert check_published(data, keys, classical=True).size == size
    with pytest.raises(SignatureError, match=r"^LOG_SIGNATURE: expected an ML-DSA-44 line"):
        check_published(data, keys)


@needs_shared
def test_bodies_of_a_lenient_reader() -> None:
    """What transparency-dev refuses is refused here, and what it accepts too: no root there has 32 bytes."""
    cases = json.loads((PUBLIC / "tlog-checkpoint/checkpoint-bodies.json").read_bytes())
    assert len(cases) == 12
    for case in cases:
        with pytest.raises(FormatError, match=r"^CHECKPOINT\b"):
            parse_body(case["text"])


def test_a_body_is_read_back() -> None:
    """Three lines, and nothing lost."""
    assert parse_body(format_body(CHECKPOINT)) == CHECKPOINT
    assert format_body(CHECKPOINT).split("\n")[:2] == [ORIGIN, "7"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n7\n", "\n07\n"),
        ("\n7\n", "\n+7\n"),
        ("\n7\n", "\n7 \n"),
        ("\n7\n", "\n٧\n"),
        ("\n7\n", "\n\n"),
        ("\n7\n", "\n9007199254740992\n"),
        ("\n7\n", "\n0\n"),
        ("=\n", "=\nextension\n"),
        ("=\n", "=\n\n"),
        ("=\n", "="),
        ("=\n", "\n"),
        ("=\n", "=\r\n"),
        ("ledger.example", "Ledger.example"),
        ("ledger.example/one", "le"),
        ("ledger.example", "ledger example"),
        ("ledger.example/one\n", ""),
    ],
)
def test_other_bodies_are_refused(old: str, new: str) -> None:
    """Each number and hash has one spelling, and there are three lines."""
    body = format_body(CHECKPOINT)
    assert old in body
    with pytest.raises(FormatError, match=r"^CHECKPOINT\b"):
        parse_body(body.replace(old, new))


def test_the_empty_tree_has_one_root() -> None:
    """A checkpoint of size 0 carries the hash of nothing."""
    assert Checkpoint(origin=ORIGIN, size=0, root=EMPTY_ROOT).size == 0
    with pytest.raises(FormatError, match=r"^CHECKPOINT\b"):
        Checkpoint(origin=ORIGIN, size=0, root=ROOT)


@pytest.mark.parametrize(
    ("size", "root"), [(-1, ROOT), (MAX_SIZE + 1, ROOT), (7, ROOT[1:]), (7, ROOT + b"0"), (0, b"")]
)
def test_a_head_has_a_size_and_a_root_that_a_tree_can_have(size: int, root: bytes) -> None:
    """The largest index that canonical JSON can say is the largest size; a root has 32 bytes."""
    assert Checkpoint(origin=ORIGIN, size=MAX_SIZE, root=ROOT).size == MAX_SIZE
    with pytest.raises(FormatError, match=r"^CHECKPOINT\b"):
        Checkpoint(origin=ORIGIN, size=size, root=root)


def test_a_head_becomes_a_published_checkpoint() -> None:
    """Publishing adds the ML-DSA-44 line and leaves every byte before it as it was."""
    assert PUBLISHED.startswith(HEAD)
    assert check_head(HEAD, KEYS) == check_published(PUBLISHED, KEYS) == CHECKPOINT


def test_a_head_is_not_a_published_checkpoint() -> None:
    """Every key listed for the origin has to have signed, also where ML-DSA-44 is waived."""
    for classical in (False, True):
        with pytest.raises(SignatureError, match=r"^LOG_SIGNATURE\b"):
            check_published(HEAD, KEYS, classical=classical)
    with pytest.raises(SignatureError, match=r"^LOG_SIGNATURE: expected an ML-DSA-44 line"):
        check_published(HEAD, [LOG.key])
    assert check_published(HEAD, [LOG.key], classical=True) == CHECKPOINT


def test_an_ed25519_line_is_needed() -> None:
    """ML-DSA-44 alone makes neither a head nor a published checkpoint."""
    alone = with_lines(1)
    for check in (check_head, check_published):
        for keys in (KEYS, [PQ.key]):
            with pytest.raises(SignatureError, match=r"^LOG_SIGNATURE\b"):
                check(alone, keys)


def test_every_listed_key_of_the_origin_signs() -> None:
    """A second Ed25519 key that the policy lists has to sign too; one of another origin does not."""
    second = NoteSigner(ORIGIN, hashlib.sha256(b"second").digest())
    other = NoteSigner("ledger.example/two", hashlib.sha256(b"other").digest())
    assert check_published(PUBLISHED, [*KEYS, other.key]) == CHECKPOINT
    with pytest.raises(SignatureError, match=rf"^LOG_SIGNATURE: .*{second.key.id.hex()}"):
        check_published(PUBLISHED, [*KEYS, second.key])


def test_an_unknown_origin_is_refused() -> None:
    """A note of a log that the policy doesn't list says nothing."""
    other = NoteSigner("ledger.example/two", hashlib.sha256(b"log").digest())
    for check in (check_head, check_published):
        with pytest.raises(SignatureError, match=r"^LOG_UNKNOWN\b"):
            check(PUBLISHED, [other.key])


def test_a_key_of_another_name_does_not_sign_for_the_log() -> None:
    """A line whose key is not named after the origin is nobody's, even when its key is listed."""
    stranger = NoteSigner("ledger.example/two", hashlib.sha256(b"two").digest())
    text = format_body(CHECKPOINT)
    note = format_note(Note(text=text, signatures=(stranger.sign(text),)))
    with pytest.raises(SignatureError, match=r"^NOTE_UNSIGNED\b"):
        check_head(note, [LOG.key, stranger.key])
    with pytest.raises(FormatError, match=r"^CHECKPOINT\b"):
        sign_head(CHECKPOINT, stranger)


def test_a_line_of_a_known_key_that_fails_rejects_even_a_head() -> None:
    """The ML-DSA-44 line of another size makes the note bad, though Ed25519 alone would do for a head."""
    elsewhere = publish(sign_head(Checkpoint(origin=ORIGIN, size=8, root=ROOT), LOG), [PQ], 1_767_600_000)
    note = parse_note(PUBLISHED)
    mixed = Note(text=note.text, signatures=(note.signatures[0], parse_note(elsewhere).signatures[1]))
    with pytest.raises(SignatureError, match=r"^NOTE_SIGNATURE\b"):
        check_head(format_note(mixed), KEYS)


def test_a_repeated_line_is_refused() -> None:
    """A log signs a checkpoint once."""
    for order in ((0, 0, 1), (0, 1, 1)):
        with pytest.raises(SignatureError, match=r"^NOTE_SIGNATURE: expected one line of each known key"):
            check_published(with_lines(*order), KEYS)


def test_time_zero_is_refused() -> None:
    """A cosignature as of time zero says nothing of the newest tree: neither made nor taken."""
    text = format_body(CHECKPOINT)
    timeless = format_note(Note(text=text, signatures=(LOG.sign(text), PQ.sign(text, 0))))
    with pytest.raises(SignatureError, match=r"^NOTE_SIGNATURE: .*as of zero"):
        check_published(timeless, KEYS)
    with pytest.raises(FormatError, match=r"^CHECKPOINT\b"):
        publish(HEAD, [PQ], 0)
    assert check_published(publish(HEAD, [PQ], 1), KEYS) == CHECKPOINT


def test_witness_lines_are_left_to_the_quorum() -> None:
    """Lines of keys that are not the log's change nothing here."""
    assert check_published(publish(PUBLISHED, [WITNESS], 1_767_600_001), KEYS) == CHECKPOINT


def test_only_tree_heads_are_published() -> None:
    """A signed text that is no checkpoint gets no cosignature."""
    text = "hello\n"
    with pytest.raises(FormatError, match=r"^CHECKPOINT\b"):
        publish(format_note(Note(text=text, signatures=(LOG.sign(text),))), [PQ], 1)


@pytest.mark.parametrize("at", range(0, len(PUBLISHED), 11))
def test_a_changed_byte_breaks_a_published_checkpoint(at: int) -> None:
    """No byte of text or of either line can change."""
    data = bytearray(PUBLISHED)
    data[at] ^= 1
    with pytest.raises((FormatError, SignatureError)):
        check_published(bytes(data), KEYS)
