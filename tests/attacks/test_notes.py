"""Checkpoints that are not signed as the policy asks, or not in their one form (§5; C2SP signed-note)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.checkpoint import Checkpoint, format_body, publish, sign_head
from ledger.errors import FormatError, LedgerError
from ledger.note import (
    CosignatureSigner,
    Ed25519Cosigner,
    Note,
    NoteSignature,
    NoteSigner,
    format_note,
    parse_note,
    parse_vkey,
)
from ledger.policy import Group, TrustPolicy, Witness, format_policy, parse_policy
from tests.attacks.mutators_log import copied
from tests.ledger.forgery import Forgery
from tests.ledger.small_ledger import ORIGIN, SmallLedger, seed
from tests.ledger.verifying import judge, problems

TIME = 1_717_400_000
ONE, TWO = (
    Ed25519Cosigner("witness.example/one", seed("w1")),
    Ed25519Cosigner("witness.example/two", seed("w2")),
)
THIEF = NoteSigner(ORIGIN, seed("thief"))


@pytest.fixture
def noted(real: Forgery, made: SmallLedger, tmp_path: Path) -> Callable[..., Any]:
    """Judge the real bundle with other bytes as its checkpoint."""
    place = copied(real).write(tmp_path / "b")

    def run(edit: Callable[[bytes], bytes], policy: TrustPolicy = made.policy) -> Any:
        (place / "checkpoint").write_bytes(edit((place / "checkpoint").read_bytes()))
        return judge(place, policy)

    return run


def lines(note: bytes) -> tuple[bytes, list[bytes]]:
    """Split a note into its text and its signature lines."""
    text, _, block = note.partition(b"\n\n")
    return text + b"\n\n", block.splitlines(keepends=True)


def with_lines(note: bytes, *added: bytes) -> bytes:
    """Add signature lines."""
    return note + b"".join(added)


def line(signature: NoteSignature) -> bytes:
    """Write a signature line."""
    return format_note(Note(text="x\n", signatures=(signature,))).split(b"\n\n")[1]


def text_of(note: bytes) -> str:
    """Return the text that is signed."""
    return parse_note(note).text


@pytest.mark.parametrize("which", [0, 1])
def test_line_of_the_log_missing(noted: Callable[..., Any], which: int) -> None:
    """Every key that the policy lists has signed: the classical and the post-quantum one."""

    def without(note: bytes) -> bytes:
        text, found = lines(note)
        return text + found[1 - which]

    report = noted(without)
    assert problems(report) == {"LOG_SIGNATURE"}
    assert report.exit_code == 1


@pytest.mark.parametrize("which", [0, 1])
def test_line_of_the_log_that_does_not_hold(noted: Callable[..., Any], which: int) -> None:
    """A line of a known key that fails rejects the note, whatever else is on it."""

    def bent(note: bytes) -> bytes:
        text, found = lines(note)
        start, _, data = found[which].rpartition(b" ")
        raw = bytearray(base64.b64decode(data))
        raw[-1] ^= 1
        found[which] = start + b" " + base64.b64encode(raw) + b"\n"
        return text + b"".join(found)

    assert problems(noted(bent)) == {"LOG_SIGNATURE"}


@pytest.mark.parametrize("member", ["size", "root", "origin"])
def test_text_of_the_checkpoint_changed(noted: Callable[..., Any], member: str) -> None:
    """Size, root and origin are under the signature."""
    at = ["origin", "size", "root"].index(member)
    values = {"size": b"50", "root": base64.b64encode(bytes(32)), "origin": b"ledger.example/other"}

    def changed(note: bytes) -> bytes:
        found = note.split(b"\n")
        found[at] = values[member]
        return b"\n".join(found)

    assert problems(noted(changed)) == {"LOG_SIGNATURE"}


def test_checkpoint_of_a_thief_with_the_logs_name(noted: Callable[..., Any], real: Forgery) -> None:
    """Another key under the log's name is an unknown key: its line is ignored, and the log's is missing."""

    def stolen(note: bytes) -> bytes:
        return line(THIEF.sign(text_of(note))).join([lines(note)[0], b""])

    assert problems(noted(stolen)) == {"LOG_SIGNATURE"}


def test_note_key_id_collision(noted: Callable[..., Any], made: SmallLedger) -> None:
    """Four bytes of key id can be hit: a line under the log's name and id by another key rejects the note."""
    known = made.policy.log_keys[0]

    def collided(note: bytes) -> bytes:
        own = THIEF.sign(text_of(note))
        return with_lines(note, line(replace(own, id=known.id)))

    assert problems(noted(collided)) == {"LOG_SIGNATURE"}


def test_unknown_lines_are_worth_nothing(noted: Callable[..., Any]) -> None:
    """Lines of strangers neither help nor harm."""
    report = noted(
        lambda note: with_lines(note, line(THIEF.sign(text_of(note))), line(ONE.sign(text_of(note), TIME)))
    )
    assert problems(report) == set()


def test_line_of_the_log_twice(noted: Callable[..., Any]) -> None:
    """A log signs a checkpoint once."""
    assert problems(noted(lambda note: note + lines(note)[1][0])) == {"LOG_SIGNATURE"}


def test_post_quantum_line_as_of_time_zero(noted: Callable[..., Any], real: Forgery) -> None:
    """A cosignature without its time says nothing about the newest tree."""

    def timeless(note: bytes) -> bytes:
        text, found = lines(note)
        signer = CosignatureSigner(ORIGIN, seed("log pq"))
        return text + found[0] + line(signer.sign(text_of(note), 0))

    assert problems(noted(timeless)) == {"LOG_SIGNATURE"}


@pytest.mark.parametrize(
    "edit",
    [
        lambda note: note.replace(b"\n51\n", b"\n051\n"),
        lambda note: note.replace(b"\n51\n", b"\n+51\n"),
        lambda note: note.replace(b"\n51\n", b"\n51 \n"),
        lambda note: note.replace(b"\n51\n", "\n٥١\n".encode()),
        lambda note: note.replace(b"\n51\n", b"\n5_1\n"),
        lambda note: note.replace(b"\n51\n", b"\n0x33\n"),
        lambda note: note.replace(b"\n51\n", b"\n-51\n"),
        lambda note: note.replace(b"\n51\n", b"\n9007199254740992\n"),
        lambda note: note.replace(b"=\n\n", b"\n\n"),
        lambda note: note.replace(b"=\n\n", b"=\nextension\n\n"),
        lambda note: note.replace(b"\n", b"\r\n"),
        lambda note: note.replace(b"\n51\n", b"\x0b51\n"),
        lambda note: note.replace(b"\n51\n", "\u202851\n".encode()),
        lambda note: note.replace(b"\n\n", b"\n"),
        lambda note: note.rstrip(b"\n"),
        lambda note: note + b"\n",
        lambda note: b"\xef\xbb\xbf" + note,
        lambda note: note.replace("— ".encode(), b"- ", 1),
        lambda note: note.replace(b"\n51\n", b"\n51\n51\n"),
        lambda note: b"",
        lambda note: b"\xff",
        lambda note: note + b"x" * 1_000_001,
    ],
    ids=[
        "leading zero", "plus", "space", "other digits", "underscore", "hex", "minus", "too large",
        "no padding", "extension line", "CRLF", "vertical tab", "line separator", "no empty line",
        "no last LF", "empty line",
        "BOM", "hyphen", "line more", "empty", "not UTF-8", "too long",
    ],
)  # fmt: skip
def test_lax_integers_base64_and_line_splitting(
    noted: Callable[..., Any], edit: Callable[[bytes], bytes]
) -> None:
    """A checkpoint has one form: digits of ASCII, base64 with its padding, lines by U+000A alone."""
    report = noted(edit)
    assert problems(report) <= {"NOTE", "LOG_SIGNATURE", "FILE_SIZE"}
    assert report.exit_code == 1


@pytest.mark.parametrize("size", ["051", "+51", " 51"])
def test_lax_integer_that_the_log_itself_signed(
    noted: Callable[..., Any], made: SmallLedger, real: Forgery, size: str
) -> None:
    """Even under a good signature a number has one spelling."""
    signers = real.signers

    def signed(note: bytes) -> bytes:
        text = text_of(note).replace("\n51\n", f"\n{size}\n")
        return format_note(Note(text=text, signatures=(signers.head.sign(text),)))

    assert problems(noted(signed)) == {"NOTE"}


# Witnesses


def witnessed(made: SmallLedger, quorum: str, *groups: Group) -> TrustPolicy:
    """Return a policy that asks for witnesses."""
    known = (Witness(name="W1", key=ONE.key, url=None), Witness(name="W2", key=TWO.key, url=None))
    return replace(made.policy, witnesses=known, groups=groups, quorum=quorum)


def both(made: SmallLedger) -> TrustPolicy:
    """Return a policy that asks for two witnesses."""
    return witnessed(made, "both", Group(name="both", threshold=2, members=("W1", "W2")))


def test_two_witnesses_are_a_quorum(noted: Callable[..., Any], made: SmallLedger) -> None:
    """With both lines it holds: what fails below fails by its change."""

    def add(note: bytes) -> bytes:
        return publish(note, (ONE, TWO), TIME)  # type: ignore[arg-type]

    assert problems(noted(add, both(made))) == set()


@pytest.mark.parametrize("signers", [(), (ONE,), (TWO,)], ids=["none", "one", "the other"])
def test_too_few_witnesses(noted: Callable[..., Any], made: SmallLedger, signers: tuple[Any, ...]) -> None:
    """Fewer than the auditor asks for."""
    assert problems(noted(lambda note: publish(note, signers, TIME), both(made))) == {"QUORUM"}


@pytest.mark.parametrize("again", ["same line", "other time", "other name"])
def test_witness_counted_twice(noted: Callable[..., Any], made: SmallLedger, again: str) -> None:
    """One witness's key makes one of a quorum, however often and under whatever name it signs."""
    alias = Ed25519Cosigner("witness.example/alias", seed("w1"))

    def add(note: bytes) -> bytes:
        first = line(ONE.sign(text_of(note), TIME))
        second = {
            "same line": first,
            "other time": line(ONE.sign(text_of(note), TIME + 1)),
            "other name": line(alias.sign(text_of(note), TIME)),
        }[again]
        return with_lines(note, first, second)

    report = noted(add, both(made))
    assert problems(report) <= {"QUORUM", "LOG_SIGNATURE"} and problems(report)  # noqa: PT018  one thing


def test_witness_listed_twice_in_a_policy(made: SmallLedger) -> None:
    """The auditor's own policy can't count one key under two names either."""
    alias = Ed25519Cosigner("witness.example/alias", seed("w1"))
    twice = replace(
        made.policy,
        witnesses=(Witness(name="W1", key=ONE.key, url=None), Witness(name="W2", key=alias.key, url=None)),
        groups=(Group(name="both", threshold=2, members=("W1", "W2")),),
        quorum="both",
    )
    with pytest.raises(FormatError) as refused:
        parse_policy(format_policy(twice))
    assert refused.value.code == "POLICY"


def test_witness_line_of_another_checkpoint(noted: Callable[..., Any], made: SmallLedger) -> None:
    """A cosignature is over one tree."""
    other = format_body(Checkpoint(origin=ORIGIN, size=50, root=bytes(32)))
    report = noted(lambda note: with_lines(note, line(ONE.sign(other, TIME))), witnessed(made, "W1"))
    assert problems(report) == {"LOG_SIGNATURE"}


def test_log_that_witnesses_itself(made: SmallLedger) -> None:
    """A log's own key is no witness in a policy."""
    own = Ed25519Cosigner(ORIGIN, seed("log"))
    policy = replace(
        made.policy, witnesses=(Witness(name="W1", key=own.key, url=None),), groups=(), quorum="W1"
    )
    with pytest.raises(FormatError) as refused:
        parse_policy(format_policy(policy))
    assert refused.value.code == "POLICY"


@pytest.mark.parametrize(
    "vkey",
    ["ledger.example/x+00000000+AYrem/VLwOmOT+HKFkZpRxZGP1TYrFVEf8cRafM/ij8t", "x+1234+AA==", "x+00000000+"],
)
def test_key_id_that_is_not_the_keys(vkey: str) -> None:
    """A verifier key's id follows from its name and its bytes."""
    with pytest.raises(LedgerError) as refused:
        parse_vkey(vkey)
    assert refused.value.code == "VKEY"


def test_head_instead_of_a_published_checkpoint(noted: Callable[..., Any], real: Forgery) -> None:
    """A receipt's head has no post-quantum line, so an export can't rest on it."""
    tree = Checkpoint(origin=ORIGIN, size=real.size, root=base64.b64decode(real.root(real.size)))
    assert problems(noted(lambda _: sign_head(tree, real.signers.head))) == {"LOG_SIGNATURE"}
